"""Read what is in a compressed file as if it were plain: bytes at an offset of the decompressed content.

Comes in: the descriptor of a file that begins like gzip, zstd, bzip2 or xz. Goes out: `pread`, as of a plain file,
and what the end is like: a whole stream, one that is cut short or still being written, or one that is damaged.
Streams of several members are one content. A stream is read forwards in bounded memory: an offset that was passed
already (farther back than the tail marker) costs a second pass, one far ahead is approached in several calls.
"""

from __future__ import annotations

import bz2
import enum
import lzma
import os
import sys
import zlib
from typing import TYPE_CHECKING, Final, Protocol

import zstandard

from tailrace import limits
from tailrace.sources.tail.identity import HEAD_BYTES, MARKER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

_RAW_BYTES: Final = 64 * limits.KIB
_PIECE_BYTES: Final = 2 * limits.KIB  # a block of zstd may be 32,768 times as large as its bytes
_OUT_BYTES: Final = 256 * limits.KIB
_MEMORY_BYTES: Final = 96 * limits.MIB  # what `xz -9` needs, and no more
_FAILURES: Final = (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError, ValueError)
_MAGIC: Final = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
ENDS: Final = (".gz", ".zst", ".bz2", ".xz")


class End(enum.Enum):
    """What stands at the end of what was read so far."""

    OPEN = "there is more"
    WHOLE = "the content is complete"
    SHORT = "cut short, or still being written"
    DAMAGED = "damaged"


class _Stream(Protocol):
    """One member of a compressed file."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def codec_of(start: bytes) -> str:
    """Return by what a file that begins so is compressed, nothing if it is not."""
    return next((codec for magic, codec in _MAGIC if start.startswith(magic)), "")


def plain_name(path: str) -> str:
    """Return the name that a file had before it was compressed; the same if it does not look so."""
    return path[: path.rindex(".")] if path.endswith(ENDS) else path


def is_packed(path: str) -> bool:
    """Tell whether the name of a file says that it is compressed."""
    return path.endswith(ENDS)


class Packed:
    """The content of an open compressed file; the descriptor stays the caller's."""

    def __init__(self, handle: int, codec: str) -> None:
        self.end = End.OPEN
        self.why = ""  # what is damaged
        self._handle = handle
        self._make = _STREAMS[codec]
        self._damage_at = sys.maxsize  # offset in the file of the piece that failed
        self._rewind()

    @property
    def known_bytes(self) -> int:
        """The length of the content, as far as it was decompressed."""
        return self._base + len(self._window)

    def raw_bytes_left(self, size: int) -> int:
        """Return how many bytes of a file of that size were not decompressed."""
        return max(0, size - self._raw_at + len(self._raw))

    def pread(self, length: int, offset: int) -> bytes:
        """Return bytes of the content at an offset: fewer at its end, none while the offset is still far ahead."""
        if offset + length <= len(self._start):
            return self._start[offset : offset + length]
        if offset < self._base:
            self._rewind()
        if offset + length > self.known_bytes:  # else what was found out about the end still holds
            self._advance(offset, offset + length)
        at = offset - self._base
        return bytes(self._window[at : at + length]) if at >= 0 else b""

    # --- forwards -------------------------------------------------------------------------------

    def _rewind(self) -> None:
        self._start = b""
        self._window = bytearray()
        self._base = 0  # the offset of the window
        self._raw = b""  # read from the file and not decompressed
        self._raw_at = 0
        self._stream: _Stream | None = None
        self.end = End.OPEN

    def _advance(self, offset: int, wanted: int) -> None:
        """Decompress up to `wanted`, keeping what is needed to read at `offset`, or a share of the way there."""
        stop = min(wanted, self.known_bytes + limits.UNPACK_TURN_BYTES) if self.known_bytes < offset else wanted
        if self.end is not End.DAMAGED:
            self.end = End.OPEN
        damage_at = self._damage_at
        while self.end is End.OPEN and damage_at == self._damage_at:  # else from the start once more, in shares
            keep_from = min(offset, self.known_bytes) - MARKER_BYTES
            if keep_from > self._base and len(self._start) >= HEAD_BYTES:
                del self._window[: keep_from - self._base]
                self._base = keep_from
            if self.known_bytes >= stop:
                return
            self._more(min(_OUT_BYTES, max(stop - self.known_bytes, HEAD_BYTES)))

    def _more(self, most: int) -> None:
        """Decompress the next bytes, or find out what the end is like."""
        if not self._input():
            self.end = End.WHOLE if self._stream is None else End.SHORT
            return
        careful = self._raw_at - len(self._raw) >= self._damage_at
        try:
            self._stream = self._stream or self._make()
            data = self._raw[: 1 if careful else _PIECE_BYTES] if self._stream.needs_input else b""
            self._raw = self._raw[len(data) :]
            out = self._stream.decompress(data, 1 if careful else most)
        except _FAILURES as error:
            self._damaged(self._raw_at - len(self._raw) - len(data), str(error), careful=careful)
            return
        if len(self._start) < HEAD_BYTES:
            self._start += out[: HEAD_BYTES - len(self._start)]
        self._window += out
        if self._stream.eof:
            self._raw = self._stream.unused_data + self._raw
            self._stream = None

    def _input(self) -> bool:
        """Make sure that there is something to decompress."""
        if self._stream is not None and not self._stream.needs_input:
            return True
        if not self._raw:
            self._raw = os.pread(self._handle, _RAW_BYTES, self._raw_at)
            self._raw_at += len(self._raw)
        if self._stream is None and self.known_bytes:
            self._raw = self._raw.lstrip(b"\0")  # blocks behind a member may be filled up, as tapes do
        return bool(self._raw)

    def _damaged(self, raw_at: int, why: str, *, careful: bool) -> None:
        """Take a failure: a decompressor keeps what it made of the same piece, so that is made again byte by byte."""
        if careful:
            self.end, self.why = End.DAMAGED, why
        else:
            self._damage_at = raw_at
            self._rewind()


class _Deflate:
    """A gzip member, with the manners of `bz2` and `lzma`."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(0, max_length))


class _Zstd:
    """A zstd frame; its output is bounded by the length of the pieces that it is given."""

    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=_MEMORY_BYTES).decompressobj()
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:  # noqa: ARG002  see above
        return self._inner.decompress(data)


_STREAMS: Final[dict[str, Callable[[], _Stream]]] = {
    "gzip": _Deflate,
    "zstd": _Zstd,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_MEMORY_BYTES),
}
