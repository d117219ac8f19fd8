"""Files of a table in object storage that lie near: brought once, bounded in bytes, shared by the programs of a folder.

A file never changes under its name, so what is here is right; it is brought under another name, its size is compared,
and only then it gets its own. What was not used for longest goes first. A file that was used within `IN_USE_S` never
goes, since a query may still read it: if all of them are, there is no room, and the caller reads from afar. So the
bound holds, and no scan of a large table drives out what others read again and again.

When a file was used last is its time of modification; there is no list that could be wrong after a crash.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.errors import TransientError
from tailrace.files import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

IN_USE_S: Final = 600.0
"""How long a file stays after it was used; longer than a query takes."""

COUNT_S: Final = 30.0
"""Seconds after which the files are counted again: other programs of the folder bring some too."""

LEFT_OVER_S: Final = 3_600.0
"""Age of a file that was never brought to its end, a crash's: then it goes."""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    bytes: int
    used_s: float


class Cache:
    """Files below some folders, at most so many bytes; any thread may ask."""

    def __init__(self, folder: Path, patterns: tuple[str, ...], most_bytes: int) -> None:
        self._folder = folder
        self._patterns = patterns
        self._most = most_bytes
        self._lock = threading.Lock()
        self._bytes: int | None = None  # as last counted, and what was brought since
        self._counted_s = 0.0
        self._arriving = 0  # bytes of what is being brought: not counted on the disk yet
        self._coming: dict[Path, Future[bool]] = {}

    def has(self, path: Path) -> bool:
        """Tell whether a file is here; it counts as used now."""
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def bring(self, path: Path, size: int, fetch: Callable[[Path], int]) -> bool:
        """Have a file here; `fetch` writes it to a path. False if there is no room. Its failures are raised."""
        if self.has(path):
            return True
        with self._lock:
            coming = self._coming.get(path)
            mine = coming is None
            if coming is None:
                coming = self._coming[path] = Future()
        if not mine:
            return coming.result()
        try:
            coming.set_result(self._brought(path, size, fetch))
        except BaseException as error:
            coming.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._coming[path]
        return coming.result()

    def add(self, size: int) -> None:
        """Count a file that was written here; makes room for it, as far as that is possible."""
        with self._lock:
            self._make_room(size)

    def _brought(self, path: Path, size: int, fetch: Callable[[Path], int]) -> bool:
        if self.has(path):
            return True
        with self._lock:
            if not self._make_room(size):
                return False
            self._arriving += size
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
        try:
            _check(path, fetch(temporary), size)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            with self._lock:
                self._bytes = None
            raise
        finally:
            with self._lock:
                self._arriving -= size
        return True

    # --- under the lock ---------------------------------------------------------------------------

    def _make_room(self, size: int) -> bool:
        """Count so many bytes more; false if they do not fit."""
        now_s = time.monotonic()
        if self._bytes is None or self._bytes + size > self._most or now_s - self._counted_s > COUNT_S:
            self._bytes, self._counted_s = self._evict(size), now_s
        if self._bytes + size > self._most:
            return False
        self._bytes += size
        return True

    def _evict(self, size: int) -> int:
        """Remove what was not used for longest until a number of bytes fits; return the bytes that are left."""
        files = sorted(self._files(), key=lambda file: file.used_s)
        total, old_s = self._arriving + sum(file.bytes for file in files), time.time() - IN_USE_S
        for file in files:
            if total + size <= self._most or file.used_s > old_s:
                break
            with suppress(FileNotFoundError):
                file.path.unlink()
            total -= file.bytes
        return total

    def _files(self) -> Iterator[_File]:
        for pattern in self._patterns:
            for path in self._folder.glob(pattern):
                try:
                    look = path.stat()
                except FileNotFoundError:  # another program made room
                    continue
                if path.name.endswith(TEMPORARY):
                    if look.st_mtime < time.time() - LEFT_OVER_S:
                        path.unlink(missing_ok=True)
                    continue
                yield _File(path, look.st_size, look.st_mtime)


def _check(path: Path, came: int, size: int) -> None:
    if came != size:
        raise TransientError(f"{path.name}: {came} bytes came, the table says {size}")
