"""Hashes of what files contain, by policy: which kinds, up to which size, at which rate.

Comes in: rows of events, in order. Goes out: the same rows with `file_hash_*` where the content was made or changed,
as far as the rate allows at once; what has to wait comes later as rows of its own, `attributes_modified` with the
metadata of that moment. `xxh3` (128 bits) tells that content changed, `sha256` and `blake3` are evidence.

Nothing is read but plain files that are the ones their rows mean (by inode), and a hash is only told when the file was
the same before and after it was read. What cannot be read is counted, and named in `refused`. No thread, no sleep.
"""

from __future__ import annotations

import hashlib
import os
import stat as modes
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import blake3
import polars as pl
import xxhash

from tailrace.sources.file_events.rows import meanings, rows
from tailrace.sources.file_events.scan import ROWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.sources.file_events.devices import Devices
    from tailrace.sources.file_events.pace import Pace

_CHUNK_BYTES: Final = 1 << 20
_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WAITING: Final = 100_000
"""Files that wait to be hashed; the oldest of more are left out, and counted."""
_REFUSED: Final = 1_000
_CONTENT: Final = ("created", "updated", "initial_scan")


class Digest(Protocol):
    """What is fed with bytes and gives a hash."""

    def update(self, data: bytes, /) -> object:
        """Take bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the hash of all bytes."""
        ...


KINDS: Final[Mapping[str, Callable[[], Digest]]] = {
    "xxh3": xxhash.xxh3_128,
    "sha256": hashlib.sha256,
    "blake3": blake3.blake3,
}
"""The kinds of hashes, by the name of their column."""


@dataclass(slots=True)
class _Reading:
    """A file that is being read."""

    path: bytes
    handle: int
    look: os.stat_result
    digests: list[Digest]
    read: int = 0


class Hasher:
    """Adds hashes to rows."""

    def __init__(self, kinds: Sequence[str], max_bytes: int, pace: Pace, devices: Devices) -> None:
        self._kinds = tuple(kinds)
        self._max_bytes = max_bytes
        self._pace = pace
        self._devices = devices
        self._waiting: dict[str, str] = {}  # path to inode
        self._reading: _Reading | None = None
        self.refused: deque[tuple[str, str]] = deque(maxlen=_REFUSED)
        self.counters = {"hashed": 0, "hashed_bytes": 0, "hash_too_large": 0, "hash_refused": 0, "hash_left_out": 0}

    @property
    def waiting(self) -> int:
        """How many files wait to be hashed."""
        return len(self._waiting) + (self._reading is not None)

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with the hashes that can be made at once; the other files wait."""
        if not self._kinds or "file_type" not in frame.columns:
            return frame
        content = pl.col("event_action").str.split(",").list.eval(pl.element().is_in(_CONTENT)).list.any()
        wanted = (pl.col("file_type") == "file") & content & pl.col("file_inode").is_not_null()
        files = frame.with_row_index("row").filter(wanted).select("row", "file_path", "file_inode", "file_size")
        self.counters["hash_too_large"] += files.filter(pl.col("file_size") > self._max_bytes).height
        files = files.filter(pl.col("file_size") <= self._max_bytes)
        found: list[tuple[int, list[str]]] = []
        for row, path, inode, size in files.unique("file_path", keep="last", maintain_order=True).iter_rows():
            self._waiting.pop(path, None)
            if self._waiting or self._reading is not None or self._pace.allowed(max(1, size)) < size:
                self._wait(path, inode)
            elif (hashes := self._whole(path, inode)) is not None:
                found.append((row, hashes))
        return self._with(frame, found) if found else frame

    def step(self, nbytes: int) -> pl.DataFrame:
        """Read about so many bytes more, as far as the rate allows; return rows of the files that are done."""
        left = self._pace.allowed(nbytes)
        done: list[tuple[_Reading, list[str]]] = []
        while left > 0 and self._next():
            assert self._reading is not None
            try:
                read = self._read(self._reading)
            except OSError as error:
                self._refuse(os.fsdecode(self._reading.path), error)
                self._close()
                continue
            left -= max(1, read)
            if not read or self._reading.read == self._reading.look.st_size:
                hashes = self._finish(self._reading)
                if hashes is not None:
                    done.append((self._reading, hashes))
                self._close()
        return self._rows(done)

    def close(self) -> None:
        """Release what is open; what waits is not hashed any more."""
        self._close()
        self._waiting.clear()

    def _wait(self, path: str, inode: str) -> None:
        if len(self._waiting) >= _WAITING:
            self._waiting.pop(next(iter(self._waiting)))
            self.counters["hash_left_out"] += 1
        self._waiting[path] = inode

    def _next(self) -> bool:
        """Open the next file that waits; tell whether there is one."""
        while self._reading is None and self._waiting:
            path = next(iter(self._waiting))
            self._reading = self._opened(path, self._waiting.pop(path))
        return self._reading is not None

    def _whole(self, path: str, inode: str) -> list[str] | None:
        """Return the hashes of a file at once."""
        reading = self._opened(path, inode)
        if reading is None:
            return None
        try:
            while self._read(reading):
                pass
            return self._finish(reading)
        except OSError as error:
            self._refuse(path, error)
            return None
        finally:
            os.close(reading.handle)

    def _opened(self, path: str, inode: str) -> _Reading | None:
        for name in meanings(path):
            try:
                handle = os.open(name, _OPEN)
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone, as an event of its own says
            except OSError as error:
                self._refuse(path, error)
                continue
            look = os.fstat(handle)
            if modes.S_ISREG(look.st_mode) and str(look.st_ino) == inode and look.st_size <= self._max_bytes:
                return _Reading(name, handle, look, [KINDS[kind]() for kind in self._kinds])
            os.close(handle)
        return None

    def _read(self, reading: _Reading) -> int:
        """Read on, up to the size that it had."""
        data = os.read(reading.handle, min(_CHUNK_BYTES, reading.look.st_size - reading.read))
        reading.read += len(data)
        for digest in reading.digests:
            digest.update(data)
        self._pace.spend(len(data))
        self.counters["hashed_bytes"] += len(data)
        return len(data)

    def _finish(self, reading: _Reading) -> list[str] | None:
        """Return the hashes of a file that was read to its end, unless it changed meanwhile: an event says so."""
        now = os.fstat(reading.handle)
        before = reading.look
        if (now.st_mtime_ns, now.st_ctime_ns, now.st_size) != (before.st_mtime_ns, before.st_ctime_ns, before.st_size):
            return None
        self.counters["hashed"] += 1
        return [digest.hexdigest() for digest in reading.digests]

    def _refuse(self, path: str, error: OSError) -> None:
        self.counters["hash_refused"] += 1
        self.refused.append((path, error.strerror or str(error)))

    def _close(self) -> None:
        if self._reading is not None:
            os.close(self._reading.handle)
            self._reading = None

    def _with(self, frame: pl.DataFrame, found: list[tuple[int, list[str]]]) -> pl.DataFrame:
        places = pl.Series([row for row, _ in found], dtype=pl.UInt32)
        columns = []
        for number, kind in enumerate(self._kinds):
            name = f"file_hash_{kind}"
            column = frame[name] if name in frame.columns else pl.Series(name, [None] * frame.height, dtype=pl.String)
            columns.append(column.scatter(places, [hashes[number] for _, hashes in found]))
        return frame.with_columns(columns)

    def _rows(self, done: list[tuple[_Reading, list[str]]]) -> pl.DataFrame:
        if not done:
            return pl.DataFrame(schema=ROWS)
        paths, looks = [os.fsdecode(reading.path) for reading, _ in done], [reading.look for reading, _ in done]
        hashes = [
            pl.Series(f"file_hash_{kind}", [found[number] for _, found in done], dtype=pl.String)
            for number, kind in enumerate(self._kinds)
        ]
        frame = rows(paths, looks, {}, self._devices).with_columns(
            *hashes, event_action=pl.lit("attributes_modified"), event_confidence=pl.lit("synthetic")
        )
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in ROWS.items() if name not in frame.columns]
        return frame.with_columns(missing).select(ROWS.keys())
