"""What the Delta tables beside `logs` have in common: to be made, read at a version, written to by numbered commits.

A side table has one column more than its rows, by which its files are in folders: the *partition*. It is made by the
first write, which also sets a torn newest commit aside. Comes in: frames, and files to be taken out. Goes out: durable
files and then one commit that names them and carries numbers as Delta transactions; of two commits at once with the
same number the second is refused. Wherever a table lies (`place`), the paths of its files begin with its root.

Refuses what the store refuses, as `TableError` and `TransientError` of whoever translates.
"""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from tailrace.errors import TableError
from tailrace.files import Files
from tailrace.store import log
from tailrace.store.commit import NO_HOOKS, is_committed, is_conflict
from tailrace.store.place import Folder, Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DELTA: Final = {
    pl.String(): "string",
    pl.Int64(): "long",
    pl.Float64(): "double",
    pl.Boolean(): "boolean",
    pl.Date(): "date",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a side table is: its name, the columns of its rows, the partition, and what Delta keeps of its log."""

    name: str
    columns: Mapping[str, pl.DataType]
    partition: str
    configuration: Mapping[str, str]
    partition_type: pl.DataType = pl.String()  # noqa: RUF009  immutable


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is durable and that no commit names yet."""

    part: str
    file: Path
    rows: int
    stats: str


class SideTable:
    """One table beside `logs`; any thread may read, whoever writes holds `lock`."""

    def __init__(self, where: Path | Place, shape: Shape, files: Files | None = None) -> None:
        """Know where the table is, or will be: beside the table `logs` of a data folder, or in a place."""
        if isinstance(where, Path):
            where = Folder(where.absolute() / shape.name, files or Files())
        self.place = where
        self.root = where.root
        self.where = where.where  # for people
        self.files = where.files
        self.lock = threading.RLock()
        self._shape = shape
        self._delta: DeltaTable | None = None

    # --- readers --------------------------------------------------------------------------------

    def newest(self) -> int | None:
        """Return the newest whole version, None if there is no table."""
        self.place.refresh()
        return log.newest_whole(self.root)

    def at(self, version: int) -> tuple[DeltaTable, pl.DataFrame]:
        """Return the library's handle on a version, for its numbers, and its files with a full `path` as it tells them.

        The files are not brought near yet: see `near`.
        """
        table = DeltaTable(self.root.as_uri(), version=version)
        raw = pl.DataFrame(table.get_add_actions(flatten=True))
        return table, raw.with_columns(path=pl.lit(f"{self.root}/") + pl.col("path")) if raw.height else raw

    def near(self, files: pl.DataFrame) -> pl.DataFrame:
        """Have files (`path`, `bytes`) at hand, so that their paths can be opened; return them.

        A side table is small beside `logs`, and all of it is read again and again.
        """
        opened = self.place.opened(files["path"].to_list(), lambda: dict(files.select("path", "bytes").iter_rows()))
        if opened.remote:
            raise TableError(
                f"{self.where}: its files do not fit into the cache beside what is read just now; "
                "raise `objects.cache_bytes`"
            )
        return files

    # --- writers --------------------------------------------------------------------------------

    def writable(self) -> DeltaTable:
        """Return the library's handle on the newest version; the table is made if there is none, or none any more."""
        if self._delta is None or self.newest() is None:
            self.files.makedirs(self.root)
            self.place.refresh()
            log.set_aside_torn(self.root, self.files)
            if not log.versions(self.root):
                self._create()
            self._delta = self.place.delta()
        self._delta.update_incremental()
        return self._delta

    def _create(self) -> None:
        shape = self._shape
        fields = [Field(name, PrimitiveType(_DELTA[dtype])) for name, dtype in shape.columns.items()]
        fields.append(Field(shape.partition, PrimitiveType(_DELTA[shape.partition_type])))
        self.place.create(
            Schema(fields),
            partition_by=[shape.partition],
            name=shape.name,
            configuration=dict(shape.configuration),
        )
        self.place.refresh()

    def write(self, part: str, frame: pl.DataFrame, stats: str, **parquet: Any) -> Written:
        """Write rows as one file of a partition, durably; options as of `polars.DataFrame.write_parquet`."""
        folder = self.root / f"{self._shape.partition}={part}"
        self.files.makedirs(folder)
        self.files.fsync_dir(self.root)
        file = folder / f"{uuid.uuid4().hex}.parquet"

        def put() -> None:
            frame.write_parquet(file, compression="zstd", compression_level=3, **parquet)

        try:
            self.files.run(f"write {self._shape.name}", put)
            self.files.fsync(file)
            self.files.fsync_dir(folder)
        except BaseException:
            self.files.unlink(file)
            raise
        return Written(part, file, frame.height, stats)

    def removals(self, old: pl.DataFrame) -> list[RemoveAction]:
        """Return what takes files (`path`, `bytes` and the partition's column) out of the table."""
        now_ms = time.time_ns() // 1_000_000
        partition = self._shape.partition
        rows = old.select("path", partition, "bytes").iter_rows()
        return [
            RemoveAction(path.removeprefix(f"{self.root}/"), True, now_ms, size, {partition: part})
            for path, part, size in rows
        ]

    def commit(
        self, table: DeltaTable, written: Sequence[Written], removals: Sequence[RemoveAction], numbers: dict[str, int]
    ) -> bool:
        """Name files and take others out at once; false if a commit of somebody else came first.

        What was written and is not committed is removed, unless nobody can tell whether it is committed.
        """
        now_ms = time.time_ns() // 1_000_000
        actions: list[AddAction | RemoveAction] = [self._added(one, now_ms) for one in written]
        actions += removals
        transactions = [Transaction(name, number, now_ms) for name, number in numbers.items()]
        properties = CommitProperties({log.ACTIONS_KEY: len(actions) + len(numbers)}, app_transactions=transactions)

        def put() -> None:
            table.create_write_transaction(
                actions,
                "append",
                table.schema(),
                [self._shape.partition],
                commit_properties=properties,
                post_commithook_properties=NO_HOOKS,
            )

        before = table.version()
        try:
            self.files.run("commit", put)
        except BaseException as error:
            self._delta = None
            if is_committed(self.place, before, actions, numbers):
                return True
            self.discard(written)
            if isinstance(error, DeltaError) and is_conflict(error):
                return False
            raise
        self.files.fsync(log.commit_file(self.root, table.version()))
        self.files.fsync_dir(self.root / log.LOG)
        return True

    def _added(self, one: Written, now_ms: int) -> AddAction:
        path, size = str(one.file.relative_to(self.root)), one.file.stat().st_size
        return AddAction(path, size, {self._shape.partition: one.part}, now_ms, True, one.stats)

    def discard(self, written: Sequence[Written]) -> None:
        """Remove files that no commit names."""
        for one in written:
            self.files.unlink(one.file)

    # --- upkeep ---------------------------------------------------------------------------------

    def checkpoint(self) -> DeltaTable:
        """Write a checkpoint of the newest version; return the handle."""
        table = self.writable()
        self.files.run("checkpoint", table.create_checkpoint)
        self.place.tidy()
        return table

    def drop_unnamed(self, named: set[str], before_ns: int) -> int:
        """Remove data files that are not named and were written before a time; return how many."""
        found = self.place.listed(f"{self._shape.partition}=*/*.parquet")
        gone = [one.path for one in found if str(one.path) not in named and one.modified_ns < before_ns]
        self.place.remove(gone)
        return len(gone)
