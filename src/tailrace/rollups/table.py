"""The Delta table `rollups` in the data folder: partial results, and how far each view is.

Three partitions: `tail`, rows as they were taken, one file per taking; `done`, rows that were merged, in order of view
and bucket; `marks`, one file that says of each view from when on it is kept, which spans are still to be read, and what
went wrong. A commit that takes lines carries the transaction `logs` with the version that was read; each commit carries
the next number of the transaction `rollups`, so of two at once the second is refused and sees what the first one did.

Refuses what the store refuses. The first write sets a torn newest commit aside; its rows are read again from `logs`.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction
from polars.exceptions import ComputeError

from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError
from tailrace.files import Files
from tailrace.rollups.marks import MARKS, Marks
from tailrace.rollups.spans import inside
from tailrace.rollups.states import COLUMNS
from tailrace.store import log
from tailrace.store.commit import NO_HOOKS, is_committed, is_conflict
from tailrace.store.failures import translated
from tailrace.store.place import Folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.rollups.spans import Span

TAKEN: Final = "logs"
"""Name of the transaction whose number is the version of `logs` that the rows reach to."""

NUMBER: Final = "rollups"
"""Name of the transaction that counts the commits."""

KEY: Final = ("view", "end_ns", "labels", "retired")
"""What tells rows of one view apart, beside the keys of its kind; `retired` are those of lines that are gone."""

SCHEMA: Final = {
    "view": pl.String(),
    "end_ns": pl.Int64(),
    "labels": pl.String(),
    "retired": pl.Boolean(),
    **COLUMNS,
}
"""The columns of rows."""

GRACE_S: Final = 900.0
"""How long a file that was replaced stays for readers that know it."""

_ROW_GROUP_ROWS: Final = 16_384
_DELTA: Final = {pl.String(): "string", pl.Int64(): "long", pl.Float64(): "double", pl.Boolean(): "boolean"}
_FILES: Final = {
    "path": pl.String(),
    "part": pl.String(),
    "rows": pl.Int64(),
    "bytes": pl.Int64(),
    "first_ns": pl.Int64(),
    "last_ns": pl.Int64(),
}
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}


class BrokenError(TailraceError):
    """What is kept cannot be read: a file of it is damaged."""


@dataclass(frozen=True, slots=True)
class RollupSnapshot:
    """The table at one version."""

    version: int  # -1: there is no table yet
    taken: int  # the version of `logs` that the rows reach to; -1: none
    number: int  # of the last commit; -1: none
    files: pl.DataFrame = field(repr=False)
    marks: Marks = field(repr=False)

    def rows_files(self, parts: Sequence[str] = ("tail", "done")) -> pl.DataFrame:
        """Return the files of rows."""
        return self.files.filter(pl.col("part").is_in(list(parts)))

    def lazy(self, views: Sequence[str]) -> pl.LazyFrame:
        """Return all rows of views, lazily."""
        return scan(self.rows_files()["path"].to_list()).filter(pl.col("view").is_in(list(views)))

    def read(self, views: Sequence[str], spans: Sequence[Span]) -> pl.DataFrame:
        """Return the rows of views whose buckets end in one of the spans."""
        low, high = (spans[0][0], spans[-1][1]) if spans else (0, 0)
        files = self.rows_files().filter(pl.col("last_ns") > low, pl.col("first_ns") <= high)
        wanted = pl.col("view").is_in(list(views)) & inside(pl.col("end_ns"), spans)
        try:
            return scan(files["path"].to_list()).filter(wanted).collect()
        except ComputeError as error:
            folder = Path(files["path"][0]).parents[1]
            raise BrokenError(f"{folder}: a file cannot be read: {str(error).partition(chr(10))[0]}") from error


NOTHING: Final = RollupSnapshot(-1, -1, -1, pl.DataFrame(schema=_FILES), Marks())


class RollupTable:
    """Reads and writes the table; any thread may, writers take turns. It is made by the first write."""

    def __init__(self, data: Path, files: Files | None = None) -> None:
        self.root = data.absolute() / "rollups"
        self.files = files or Files()
        self._lock = threading.RLock()
        self._delta: DeltaTable | None = None
        self._newest = NOTHING

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> RollupSnapshot:
        """Return the newest version."""
        with self._lock, translated(self.root, "reading the table of rollups"):
            newest = log.newest_whole(self.root)
            if newest is None:
                return NOTHING
            if newest != self._newest.version:
                self._newest = self._load(newest)
            return self._newest

    def _load(self, version: int) -> RollupSnapshot:
        table = DeltaTable(self.root.as_uri(), version=version)
        numbers = (table.transaction_version(name) for name in (TAKEN, NUMBER))
        taken, number = (-1 if found is None else found for found in numbers)
        raw = pl.DataFrame(table.get_add_actions(flatten=True))
        if not raw.height:
            return RollupSnapshot(version, taken, number, NOTHING.files, Marks())
        ends = [column if column in raw.columns else None for column in ("min.end_ns", "max.end_ns")]
        first, last = (pl.lit(None, pl.Int64) if name is None else pl.col(name) for name in ends)
        files = raw.select(
            (pl.lit(f"{self.root}/") + pl.col("path")).alias("path"),
            pl.col("partition.part").alias("part"),
            pl.col("num_records").cast(pl.Int64).alias("rows"),
            pl.col("size_bytes").cast(pl.Int64).alias("bytes"),
            first.alias("first_ns"),
            last.alias("last_ns"),
        )
        marks = [pl.read_parquet(path, glob=False) for path in files.filter(part="marks")["path"]]
        files = files.cast(pl.Schema(_FILES)).sort("part", "first_ns", "path")
        return RollupSnapshot(version, taken, number, files, Marks.of(pl.concat(marks)) if marks else Marks())

    # --- writers --------------------------------------------------------------------------------

    def commit(
        self,
        seen: RollupSnapshot,
        *,
        add: Sequence[tuple[str, pl.DataFrame]] = (),
        remove: pl.DataFrame | None = None,
        marks: Marks | None = None,
        taken: int | None = None,
    ) -> bool:
        """Put rows and marks in the place of files at once; false if somebody committed since `seen`."""
        with self._lock, translated(self.root, "keeping rollups"):
            table = self._writable()
            numbers = (table.transaction_version(NUMBER), table.transaction_version(TAKEN))
            if (seen.number, seen.taken) != tuple(-1 if number is None else number for number in numbers):
                return False
            old = seen.files.clear() if remove is None else remove
            if marks is not None:
                add = [*add, ("marks", marks.frame())]
                old = pl.concat([old, seen.files.filter(part="marks")])
            written = [self._write(part, frame) for part, frame in add if frame.height]
            next_numbers = {NUMBER: seen.number + 1} | ({} if taken is None else {TAKEN: taken})
            return self._apply(table, written, self._removals(old), next_numbers)

    def _removals(self, old: pl.DataFrame) -> list[RemoveAction]:
        now_ms = time.time_ns() // 1_000_000
        rows = old.select("path", "part", "bytes").iter_rows()
        return [
            RemoveAction(path.removeprefix(f"{self.root}/"), True, now_ms, size, {"part": part})
            for path, part, size in rows
        ]

    def _apply(
        self, table: DeltaTable, adds: Sequence[AddAction], removes: Sequence[RemoveAction], numbers: dict[str, int]
    ) -> bool:
        now_ms = time.time_ns() // 1_000_000
        actions: list[AddAction | RemoveAction] = [*adds, *removes]
        transactions = [Transaction(name, number, now_ms) for name, number in numbers.items()]
        properties = CommitProperties({log.ACTIONS_KEY: len(actions) + len(numbers)}, app_transactions=transactions)

        def write() -> None:
            table.create_write_transaction(
                actions,
                "append",
                table.schema(),
                ["part"],
                commit_properties=properties,
                post_commithook_properties=NO_HOOKS,
            )

        before = table.version()
        try:
            self.files.run("commit", write)
        except BaseException as error:
            self._delta = None
            if is_committed(Folder(self.root, self.files), before, actions, numbers):
                return True
            for one in adds:
                self.files.unlink(self.root / one.path)
            if isinstance(error, DeltaError) and is_conflict(error):
                return False
            raise
        self.files.fsync(log.commit_file(self.root, table.version()))
        self.files.fsync_dir(self.root / log.LOG)
        return True

    def _writable(self) -> DeltaTable:
        """Return the library's handle on the newest version; the table is made if there is none, or none any more."""
        if self._delta is None or not log.versions(self.root):
            self.files.makedirs(self.root)
            log.set_aside_torn(self.root, self.files)
            if not log.versions(self.root):
                self.files.run("create table", self._create)
                self.files.fsync(log.commit_file(self.root, 0))
                for folder in (self.root / log.LOG, self.root, self.root.parent):
                    self.files.fsync_dir(folder)
            self._delta = DeltaTable(self.root.as_uri())
        self._delta.update_incremental()
        return self._delta

    def _create(self) -> None:
        columns = {**SCHEMA, **MARKS, "part": pl.String()}
        DeltaTable.create(
            self.root.as_uri(),
            Schema([Field(name, PrimitiveType(_DELTA[dtype])) for name, dtype in columns.items()]),
            mode="ignore",
            partition_by=["part"],
            name="rollups",
            configuration=_CONFIGURATION,
            raise_if_key_not_exists=False,
        )

    def _write(self, part: str, frame: pl.DataFrame) -> AddAction:
        """Write a file durably; columns that say nothing are left out."""
        folder = self.root / f"part={part}"
        self.files.makedirs(folder)
        self.files.fsync_dir(self.root)
        file = folder / f"{uuid.uuid4().hex}.parquet"
        said = [name for name in frame.columns if frame[name].null_count() < frame.height]
        stats: dict[str, object] = {"numRecords": frame.height}
        if "end_ns" in said:
            stats["minValues"], stats["maxValues"] = ({"end_ns": end} for end in _ends(frame))
        try:
            self.files.run(
                "write rollups",
                lambda: frame.select(said).write_parquet(
                    file, compression="zstd", compression_level=3, row_group_size=_ROW_GROUP_ROWS
                ),
            )
            self.files.fsync(file)
            self.files.fsync_dir(folder)
        except BaseException:
            self.files.unlink(file)
            raise
        size, now_ms = file.stat().st_size, time.time_ns() // 1_000_000
        return AddAction(str(file.relative_to(self.root)), size, {"part": part}, now_ms, True, json.dumps(stats))

    # --- upkeep ---------------------------------------------------------------------------------

    def tidy(self, now_ns: int) -> int:
        """Write a checkpoint, shorten the log, and take files off the disk that nobody reads any more."""
        with self._lock, translated(self.root, "tidying the table of rollups"):
            table = self._writable()
            self.files.run("checkpoint", table.create_checkpoint)
            self.files.run("clean log", table.cleanup_metadata)
            named = set(self.snapshot().files["path"])
            old_s = now_ns / NS_PER_S - GRACE_S
            gone = [file for file in self.root.glob("part=*/*.parquet") if str(file) not in named]
            gone = [file for file in gone if file.stat().st_mtime < old_s]
            for file in gone:
                self.files.unlink(file)
            return len(gone)


def scan(paths: Sequence[str]) -> pl.LazyFrame:
    """Return the rows of some files, lazily."""
    if not paths:
        return pl.LazyFrame(schema=dict(SCHEMA))
    found = pl.scan_parquet(
        list(paths),
        schema=dict(SCHEMA),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )
    return found.with_columns(pl.col("retired").fill_null(value=False))


def _ends(frame: pl.DataFrame) -> tuple[int, int]:
    found: tuple[int, int] = frame.select(pl.col("end_ns").min(), last=pl.col("end_ns").max()).row(0)
    return found
