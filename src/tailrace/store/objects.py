"""A table in object storage: its log mirrored, its segments cached, its files uploaded before a commit names them.

See `place` for what the store asks of it, `mirror` and `cache` for what lies near, `lease` for who keeps the table.
"""

from __future__ import annotations

import fnmatch
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tailrace import limits
from tailrace.contracts import Opened
from tailrace.files import TEMPORARY, Files
from tailrace.store import log
from tailrace.store.cache import Cache
from tailrace.store.lease import ObjectLease
from tailrace.store.mirror import Mirror
from tailrace.store.place import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from deltalake import Schema

    from tailrace.store.bucket import Bucket

T = TypeVar("T")
U = TypeVar("U")

ORPHAN_GRACE_S: Final = 3_600.0
"""Least grace of a file that no commit speaks of: the upload of a large one takes its time, and clocks differ."""

SMALL_BYTES: Final = 4 * limits.MIB
"""A file that is brought whole when something of it is wanted: one request instead of three."""

UNKNOWN_S: Final = 60.0
"""How long a file that was not there is not asked for again: skip indexes come late."""

_CACHED: Final = ("*/*=*/*.parquet*", "*/_skip/*")  # of all tables that lie beside each other


@dataclass
class ObjectFiles(Files):
    """Writes and removes files of a mirrored folder: what is made durable is uploaded. Other paths are just files."""

    bucket: Bucket
    root: Path
    cache: Cache

    def fsync(self, path: Path) -> None:
        """Upload a file; commits are in the log already."""
        key = self._key(path)
        if key is None:
            super().fsync(path)
        elif not key.startswith(f"{log.LOG}/"):
            self.cache.add(path.stat().st_size)
            self.bucket.upload(path, key)

    def fsync_dir(self, path: Path) -> None:
        """Do nothing: object storage has no folders, and a mirror is made anew."""
        if self._key(path) is None and path != self.root:
            super().fsync_dir(path)

    def unlink(self, path: Path) -> None:
        """Remove a file there and here."""
        key = self._key(path)
        if key is not None:
            self.bucket.delete([key])
        super().unlink(path)

    def save(self, path: Path, data: bytes) -> None:
        """Replace a file's content there and here."""
        if self._key(path) is None:
            super().save(path, data)
            return
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}{TEMPORARY}")
        self.write(temporary, data)
        self.rename(temporary, path)
        self.fsync(path)

    def _key(self, path: Path) -> str | None:
        try:
            return path.relative_to(self.root).as_posix() if path != self.root else None
        except ValueError:
            return None


@dataclass
class ObjectPlace:
    """A table below a URL, with its mirror in a folder of this machine."""

    bucket: Bucket
    root: Path
    cache: Cache | None = None
    orphan_grace_s: float = ORPHAN_GRACE_S
    endless: bool = True
    files: Files = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what the folder holds of earlier times."""
        self.where = self.bucket.url
        self.settings = self.bucket.settings
        self._mirror = Mirror(self.bucket, self.root)
        self._cache = self.cache or Cache(self.root.parent, _CACHED, self.bucket.settings.cache_bytes)
        self.files = ObjectFiles(self.bucket, self.root, self._cache)
        self._absent: dict[str, float] = {}  # files that were not there, until when that is believed
        self._lock = threading.Lock()

    def beside(self, name: str) -> ObjectPlace:
        """Return the place of another table that lies beside this one."""
        above = type(self.bucket)(self.bucket.url.rpartition("/")[0], self.bucket.settings)
        return ObjectPlace(above.below(name), self.root.with_name(name), self._cache)

    # --- the log --------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Have every commit that was there when this was called in the mirror."""
        self._mirror.refresh()

    def reach(self, version: int) -> None:
        """Have the commits after a version in the mirror, as far as they are still there at all."""
        self._mirror.reach(version)

    def delta(self) -> DeltaTable:
        """Return a new handle for writing."""
        return DeltaTable(self.where, storage_options=self.bucket.options)

    def create(self, schema: Schema, **options: Any) -> None:
        """Make the table, unless another program does at the same time."""
        try:
            DeltaTable.create(
                self.where,
                schema,
                mode="ignore",
                raise_if_key_not_exists=False,
                storage_options=self.bucket.options,
                **options,
            )
        except (DeltaError, OSError):
            self.refresh()
            if not log.versions(self.root):
                raise

    def tidy(self) -> None:
        """Forget what the mirror holds and the log does not."""
        self._mirror.tidy()

    # --- files ----------------------------------------------------------------------------------

    def url(self, path: str) -> str:
        """Return what any machine that reaches the table opens for a path."""
        return f"{self.where}/{self._key(path)}".removesuffix("/.")

    def opened(self, paths: Sequence[str], sizes: Callable[[], Mapping[str, int]] = dict) -> Opened:
        """Return what to open in place of each path: a file here, brought if there is room, or its URL."""
        missing = [path for path in paths if not self._cache.has(Path(path))]
        known = sizes() if missing else {}

        def near_by(path: str) -> bool:
            return self._near(path, known.get(path))

        far = {path for path, here in zip(missing, self.bucket.each(near_by, missing), strict=True) if not here}
        local = [path for path in paths if path not in far]
        remote = [self.url(path) for path in paths if path in far]
        return Opened(local, remote, self.bucket.reading if remote else {})

    def looked_into(self, path: str) -> Opened:
        """Return what to open in place of a path of which only the footer is wanted: a small file is brought."""
        if self._cache.has(Path(path)):
            return Opened([path], [])
        size = self.bucket.size(self._key(path))
        if size is not None and size > SMALL_BYTES:
            return Opened([], [self.url(path)], self.bucket.reading)
        return self.opened([path], lambda: {} if size is None else {path: size})

    def each(self, action: Callable[[T], U], items: Iterable[T]) -> list[U]:
        """Do something that reads a file for each item, several at once."""
        return self.bucket.each(action, items)

    def prepare(self, paths: Sequence[str]) -> None:
        """Bring small files near; those that do not exist are remembered for a while."""
        now_s = time.monotonic()
        with self._lock:
            wanted = [path for path in paths if self._absent.get(path, now_s) <= now_s]
        wanted = [path for path in wanted if not self._cache.has(Path(path))]
        self.bucket.each(self._prepared, wanted)

    def _prepared(self, path: str) -> None:
        try:
            self._near(path, None)
        except FileNotFoundError:
            with self._lock:
                self._absent[path] = time.monotonic() + UNKNOWN_S

    def openable(self, path: str) -> Path | _Remote:
        """Return a file to read a piece of: the one here, or there."""
        return Path(path) if self._cache.has(Path(path)) else _Remote(self.bucket, self._key(path))

    @contextmanager
    def lent(self, path: str) -> Iterator[Path]:
        """Give a file of this machine with the same content, as long as it is needed."""
        if self._near(path, None):
            yield Path(path)
            return
        temporary = Path(path).with_name(f"{Path(path).stem}.{uuid.uuid4().hex}{TEMPORARY}")
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.bucket.download(self._key(path), temporary)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def there(self, paths: Sequence[str]) -> set[str]:
        """Return those of some files that exist in the bucket."""
        sizes = self.bucket.each(self._size, paths)
        return {path for path, size in zip(paths, sizes, strict=True) if size is not None}

    def listed(self, pattern: str) -> list[Found]:
        """Return the objects that match a pattern of names below the root."""
        folder = pattern.partition("/")[0]
        prefix = folder if not set(folder) & set("*?[") else ""
        found = self.bucket.listing(prefix)
        return [
            Found(self.root / one.key, one.bytes, one.modified_ns)
            for one in found
            if one.key.count("/") == pattern.count("/") and fnmatch.fnmatchcase(one.key, pattern)
        ]

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files there and here."""
        gone = [*paths]
        self.bucket.delete([self._key(str(path)) for path in gone])
        for path in gone:
            path.unlink(missing_ok=True)

    def lease(self, name: str) -> ObjectLease:
        """Return the right of a name, kept as an object beside the log."""
        return ObjectLease(self.bucket, f"_lease/{name}.json")

    def _near(self, path: str, size: int | None) -> bool:
        """Bring a file, if there is room; `FileNotFoundError` if it does not exist."""
        file, key = Path(path), self._key(path)
        if self._cache.has(file):
            return True
        if size is None:
            size = self.bucket.size(key)
            if size is None:
                raise FileNotFoundError(f"{self.where}/{key} is not there")
        return self._cache.bring(file, size, lambda target: self.bucket.download(key, target))

    def _size(self, path: str) -> int | None:
        return self.bucket.size(self._key(path))

    def _key(self, path: str) -> str:
        return Path(path).relative_to(self.root).as_posix()


@dataclass(frozen=True)
class _Remote:
    """An object that can be read at any position."""

    bucket: Bucket
    key: str

    def open(self, _mode: str, /) -> AbstractContextManager[IO[bytes]]:
        """Open it."""
        return self.bucket.reader(self.key)
