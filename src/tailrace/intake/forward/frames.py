"""The frames of Fluent Forward: bytes of a connection, cut into messages, and what each message says of itself.

Comes in: bytes as they arrive. Goes out: whole messages, as bytes (`Framing`), and their tag, kind, entries and options
(`head`), still as bytes. Refuses by `DataError`: what is no MessagePack, a message longer than it may be, or of
another shape than the four of the protocol. A null is a heartbeat and no message.

Nothing is unpacked here but tags and options: entries are passed over, in C, so what they would take as objects does
not matter. Cost: a pass over the bytes, about 1 GB/s.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Literal

import msgpack

from tailrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Kind = Literal["message", "forward", "packed"]
"""Times and records in turn; the entries of an array; a text of entries one behind the other."""

TAG_CHARS: Final = 1_024
OPTION_BYTES: Final = 16_384
CHUNK_CHARS: Final = 255
"""Longest identifier of a chunk: clients use 24 characters."""

_NIL: Final = 0xC0
_ARRAYS: Final = frozenset([*range(0x90, 0xA0), 0xDC, 0xDD])
_SHORT_TEXTS: Final = frozenset(range(0xA0, 0xC0))
_LENGTHS: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}  # bytes of the length of bytes and texts
_GZIP: Final = 16 + zlib.MAX_WBITS
_LOGS: Final = (None, 0)  # what `fluent_signal` says of logs; 1 are metrics, 2 traces


@dataclass(frozen=True, slots=True)
class Chunk:
    """A message, or several of one entry each: its entries are `data[start:end]`, written as its kind says."""

    tag: str
    kind: Kind
    data: bytes
    start: int
    end: int
    compressed: bool = False
    id: str | None = None  # under which it is to be acknowledged


class Framing:
    """The messages of one connection."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray()
        self._begun = 0  # where the message in front begins, in all that came
        self._walker = _unpacker(0)  # its buffer is bounded by what is fed: `most` and a piece

    @property
    def waiting(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now."""
        self._buffer += data
        found: list[bytes] = []
        try:
            self._walker.feed(data)
            while True:
                self._walker.skip()
                end = self._walker.tell() - self._begun
                message, self._begun = bytes(self._buffer[:end]), self._begun + end
                del self._buffer[:end]
                if len(message) > self._most:
                    raise DataError(f"a message has more than {self._most} bytes")
                if message[0] != _NIL:
                    found.append(message)
        except msgpack.OutOfData:
            pass
        except ValueError:
            raise DataError("this is no MessagePack, or it is nested too deeply") from None
        if len(self._buffer) > self._most:
            raise DataError(f"a message has more than {self._most} bytes")
        return found


def head(data: bytes) -> Chunk:
    """Return what a message says of itself."""
    try:
        return _head(data)
    except (msgpack.UnpackException, ValueError, IndexError, UnicodeError):
        raise DataError("this is no message of the protocol Forward") from None


def joined(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield chunks, with single entries that follow each other under one tag, and ask for no answer, as one."""
    for (tag, kind, id_), group in groupby(chunks, attrgetter("tag", "kind", "id")):
        if kind == "message" and id_ is None:
            data = b"".join([one.data[one.start : one.end] for one in group])
            yield Chunk(tag, "message", data, 0, len(data))
        else:
            yield from group


def _head(data: bytes) -> Chunk:
    reader = _unpacker(max(len(data), 1))
    reader.feed(data)
    count = reader.read_array_header()
    tag = reader.unpack()
    if not isinstance(tag, str) or len(tag) > TAG_CHARS:
        raise DataError("the tag is no text, or too long")
    at = reader.tell()
    kind, start = _kind(data, at)
    if kind == "forward":
        count_entries = reader.read_array_header()
        start = reader.tell()
        for _ in range(count_entries):
            reader.skip()
    else:
        for _ in range(2 if kind == "message" else 1):
            reader.skip()
    end = reader.tell()
    fixed = 3 if kind == "message" else 2
    if not fixed <= count <= fixed + 1:
        raise DataError(f"a message of {count} parts is none of the protocol Forward")
    if len(data) - end > OPTION_BYTES:
        raise DataError("the options of a message are too long")
    option = reader.unpack() if count > fixed else None
    return _with_option(Chunk(tag, kind, data, start, end), option)


def _kind(data: bytes, at: int) -> tuple[Kind, int]:
    """Return the kind of message, by the type of its second part, and where the entries begin, if they are a text."""
    first = data[at]
    if first in _ARRAYS:
        return "forward", at
    if first in _SHORT_TEXTS:  # as old clients pack entries
        return "packed", at + 1
    width = _LENGTHS.get(first)
    return ("packed", at + 1 + width) if width else ("message", at)


def _with_option(chunk: Chunk, option: Any) -> Chunk:  # Any: as it came
    if option is None:
        return chunk
    if not isinstance(option, dict):
        raise DataError("the options of a message are no map")
    if option.get("fluent_signal") not in _LOGS:
        raise DataError("only logs are received, no metrics and no traces")
    compressed = _text(option, "compressed")
    if compressed not in (None, "", "text", "gzip"):
        raise DataError(f"compression {compressed[:20]!r} is not known: send gzip or none")
    if compressed == "gzip" and chunk.kind != "packed":
        raise DataError("a compressed message holds no packed entries")
    return replace(chunk, compressed=compressed == "gzip", id=_text(option, "chunk"))


def _text(option: Mapping[Any, Any], name: str) -> str | None:  # Any: as above
    value = option.get(name)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if value is not None and (not isinstance(value, str) or len(value) > CHUNK_CHARS):
        raise DataError(f"the option {name!r} is no text, or too long")
    return value


def unpacked(chunk: Chunk, most: int) -> Chunk:
    """Return a chunk whose entries are not compressed; `DataError` beyond `most` bytes."""
    if not chunk.compressed:
        return chunk
    pieces: list[bytes] = []
    size, rest = 0, chunk.data[chunk.start : chunk.end]
    while rest:  # a buffer is packed piece by piece: several files, one behind the other
        inflate = zlib.decompressobj(_GZIP)
        try:
            piece = inflate.decompress(rest, most + 1 - size)
        except (zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"the entries of a message are no gzip: {error}") from None
        size += len(piece)
        if size > most:
            raise DataError(f"a message has more than {most} bytes when it is unpacked")
        if not inflate.eof:
            raise DataError("the gzip of a message ends too early")
        pieces.append(piece)
        rest = inflate.unused_data
    return replace(chunk, data=b"".join(pieces), start=0, end=size, compressed=False)


def _unpacker(size: int) -> msgpack.Unpacker:
    return msgpack.Unpacker(
        max_buffer_size=size,
        max_array_len=16,  # of tags and options alone: what is skipped is not built
        max_map_len=32,
        raw=False,
        unicode_errors="backslashreplace",
        strict_map_key=False,
    )
