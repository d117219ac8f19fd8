"""Where a table lies: the one seam between the store and folders or object storage.

A table has a *root*, a folder on this machine. All its paths begin with it: in frames of segments, in caches, in what
others remember of a file. For a `Folder` the files are there, and that is all. For a table in object storage
(`objects.ObjectPlace`) the root is a mirror: the log is copied into it commit by commit, so whoever reads the log reads
files as ever; segments lie in it as long as the cache has room, and are read where they lie else.

What reads the log calls `refresh` before, and `reach` if it looks at older commits. What reads segments asks `opened`
for what to open. What writes does so through `files`, whose `fsync` makes a file durable where the table lies, and
commits by the handle of `delta`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import polars as pl
from deltalake import DeltaTable

from tailrace.contracts import Opened
from tailrace.errors import TableError
from tailrace.store import log
from tailrace.store.bucket import ObjectSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from deltalake import Schema

    from tailrace.files import Files
    from tailrace.store.footer import Openable

T = TypeVar("T")
U = TypeVar("U")

ORPHAN_GRACE_S: Final = 300.0
"""Least grace of a file that no commit speaks of: longer than any commit takes from its first byte to its last."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of a table, as a listing shows it."""

    path: Path
    bytes: int
    modified_ns: int


class Lease(Protocol):
    """The right to do what one program at a time should do, because twice is waste."""

    def held(self) -> bool:
        """Tell whether the right is this program's now; takes it, or renews it, where that is due."""
        ...

    def release(self) -> None:
        """Give it to whoever asks next."""
        ...


class Place(Protocol):
    """Where a table lies. Any thread may call."""

    @property
    def root(self) -> Path:
        """The folder that holds it, or mirrors it."""
        ...

    @property
    def where(self) -> str:
        """The same for people: a folder or a URL, without secrets."""
        ...

    @property
    def files(self) -> Files:
        """What writes and removes: durable is what is durable in the place, not in its mirror."""
        ...

    @property
    def settings(self) -> ObjectSettings:
        """How object storage is reached."""
        ...

    @property
    def endless(self) -> bool:
        """Whether nothing fills up: there is no share of a disk to keep to."""
        ...

    @property
    def orphan_grace_s(self) -> float:
        """Least grace of a file that no commit speaks of."""
        ...

    def beside(self, name: str) -> Place:
        """Return the place of another table that lies beside this one."""
        ...

    def refresh(self) -> None:
        """Have every commit that was there when this was called in the root's log."""
        ...

    def reach(self, version: int) -> None:
        """Have the commits after a version in the root's log, as far as they are still there at all."""
        ...

    def delta(self) -> DeltaTable:
        """Return a new handle for writing."""
        ...

    def create(self, schema: Schema, **options: Any) -> None:
        """Make the table, unless there is one; options as of `DeltaTable.create`."""
        ...

    def opened(self, paths: Sequence[str], sizes: Callable[[], Mapping[str, int]] = dict) -> Opened:
        """Return what to open in place of each path; brings files near if there is room.

        `sizes` tells the bytes of each, as far as they are known; it is called only where that matters.
        """
        ...

    def looked_into(self, path: str) -> Opened:
        """Return what to open in place of a path of which only the footer is wanted."""
        ...

    def each(self, action: Callable[[T], U], items: Iterable[T]) -> Iterable[U]:
        """Do something that reads a file for each item, several at once where that waits for a network."""
        ...

    def url(self, path: str) -> str:
        """Return what any machine that reaches the table opens for a path."""
        ...

    def prepare(self, paths: Sequence[str]) -> None:
        """Bring small files near that are about to be read one by one; those that do not exist are no failure."""
        ...

    def openable(self, path: str) -> Openable:
        """Return a file to read a piece of; nothing is brought near."""
        ...

    def lent(self, path: str) -> AbstractContextManager[Path]:
        """Give a file of this machine with the content of one of the table, as long as it is needed."""
        ...

    def there(self, paths: Sequence[str]) -> set[str]:
        """Return those of some files that exist."""
        ...

    def listed(self, pattern: str) -> list[Found]:
        """Return the files that match a pattern of names below the root: `_date=*/*.parquet`."""
        ...

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files; those that are not there are fine."""
        ...

    def tidy(self) -> None:
        """Forget what the mirror holds and the place does not."""
        ...

    def lease(self, name: str) -> Lease:
        """Return the right of a name, not taken yet."""
        ...


@dataclass(frozen=True)
class Folder:
    """A table in a folder of this machine."""

    root: Path
    files: Files
    orphan_grace_s: float = ORPHAN_GRACE_S
    settings: ObjectSettings = field(default_factory=ObjectSettings)
    where: str = field(init=False)
    endless: bool = False

    def __post_init__(self) -> None:
        """Name itself."""
        object.__setattr__(self, "where", str(self.root))

    def beside(self, name: str) -> Folder:
        """Return the folder beside this one."""
        return Folder(self.root.with_name(name), self.files)

    def refresh(self) -> None:
        """Do nothing: the log is here."""

    def reach(self, version: int) -> None:
        """Do nothing: the log is here."""

    def delta(self) -> DeltaTable:
        """Return a new handle for writing; a torn newest commit is set aside by who recovers, before."""
        return DeltaTable(self.root.as_uri())

    def create(self, schema: Schema, **options: Any) -> None:
        """Make the table, durably."""

        def make() -> None:
            DeltaTable.create(self.root.as_uri(), schema, mode="ignore", raise_if_key_not_exists=False, **options)

        self.files.run("create table", make)
        self.files.fsync(log.commit_file(self.root, 0))
        for folder in (self.root / log.LOG, self.root, self.root.parent):
            self.files.fsync_dir(folder)

    def opened(self, paths: Sequence[str], sizes: Callable[[], Mapping[str, int]] = dict) -> Opened:  # noqa: ARG002
        """Return the paths: they can be opened as they are."""
        return Opened(list(paths), [])

    def looked_into(self, path: str) -> Opened:
        """Return the path."""
        return Opened([path], [])

    def each(self, action: Callable[[T], U], items: Iterable[T]) -> Iterable[U]:
        """Do something for each item, one after the other."""
        return map(action, items)

    def url(self, path: str) -> str:
        """Return the path."""
        return path

    def prepare(self, paths: Sequence[str]) -> None:
        """Do nothing."""

    def openable(self, path: str) -> Path:
        """Return the file."""
        return Path(path)

    @contextmanager
    def lent(self, path: str) -> Iterator[Path]:
        """Give the file itself."""
        yield Path(path)

    def there(self, paths: Sequence[str]) -> set[str]:
        """Return those of some files that exist."""
        return {path for path in paths if Path(path).exists()}

    def listed(self, pattern: str) -> list[Found]:
        """Return the files that match a pattern of names below the root."""
        found: list[Found] = []
        for path in self.root.glob(pattern):
            try:
                look = path.stat()
            except FileNotFoundError:  # somebody else's clean-up was faster
                continue
            found.append(Found(path, look.st_size, look.st_mtime_ns))
        return found

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files."""
        for path in paths:
            self.files.unlink(path)

    def tidy(self) -> None:
        """Do nothing: there is no mirror."""

    def lease(self, name: str) -> Always:  # noqa: ARG002  as the seam has it
        """Return a right that is always held: two programs on one folder do double work at worst."""
        return Always()


class Always:
    """A right that nobody else has."""

    def held(self) -> bool:
        """Tell that it is held."""
        return True

    def release(self) -> None:
        """Do nothing."""


def scan(opened: Opened, **options: Any) -> pl.LazyFrame:
    """Return the rows of opened files, lazily; options as of `polars.scan_parquet`."""
    scans: list[pl.LazyFrame] = []
    if opened.local:
        scans.append(pl.scan_parquet(list(opened.local), glob=False, hive_partitioning=False, **options))
    if opened.remote:
        scans.append(
            pl.scan_parquet(
                list(opened.remote),
                glob=False,
                hive_partitioning=False,
                storage_options=dict(opened.options),
                **options,
            )
        )
    if not scans:
        raise TableError("there is no file to read")
    return pl.concat(scans, how="diagonal") if len(scans) > 1 else scans[0]
