"""The Delta table `rollups` in the data folder: partial results, and how far each view is.

Three partitions: `tail`, rows as they were taken, one file per taking; `done`, rows that were merged, in order of view
and bucket; `marks`, one file that says of each view from when on it is kept, which spans are still to be read, and what
went wrong. A commit that takes lines carries the transaction `logs` with the version that was read; each commit carries
the next number of the transaction `rollups`, so of two at once the second is refused and sees what the first one did.

Refuses what the store refuses. The first write sets a torn newest commit aside; its rows are read again from `logs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
from polars.exceptions import ComputeError

from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError
from tailrace.rollups.marks import MARKS, Marks
from tailrace.rollups.spans import inside
from tailrace.rollups.states import COLUMNS
from tailrace.store.failures import translated
from tailrace.store.side_table import Shape, SideTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.files import Files
    from tailrace.rollups.spans import Span
    from tailrace.store.place import Place
    from tailrace.store.side_table import Written

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


_SHAPE: Final = Shape("rollups", {**SCHEMA, **MARKS}, "part", _CONFIGURATION)


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

    def __init__(self, where: Path | Place, files: Files | None = None) -> None:
        self._table = SideTable(where, _SHAPE, files)
        self.root = self._table.root
        self.where = self._table.where
        self._newest = NOTHING

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> RollupSnapshot:
        """Return the newest version."""
        with self._table.lock, translated(self.where, "reading the table of rollups"):
            newest = self._table.newest()
            if newest is None:
                return NOTHING
            if newest != self._newest.version:
                self._newest = self._load(newest)
            self._table.near(self._newest.files)
            return self._newest

    def _load(self, version: int) -> RollupSnapshot:
        table, raw = self._table.at(version)
        numbers = (table.transaction_version(name) for name in (TAKEN, NUMBER))
        taken, number = (-1 if found is None else found for found in numbers)
        if not raw.height:
            return RollupSnapshot(version, taken, number, NOTHING.files, Marks())
        ends = [column if column in raw.columns else None for column in ("min.end_ns", "max.end_ns")]
        first, last = (pl.lit(None, pl.Int64) if name is None else pl.col(name) for name in ends)
        files = raw.select(
            "path",
            pl.col("partition.part").alias("part"),
            pl.col("num_records").cast(pl.Int64).alias("rows"),
            pl.col("size_bytes").cast(pl.Int64).alias("bytes"),
            first.alias("first_ns"),
            last.alias("last_ns"),
        )
        files = self._table.near(files.cast(pl.Schema(_FILES)).sort("part", "first_ns", "path"))
        marks = [pl.read_parquet(path, glob=False) for path in files.filter(part="marks")["path"]]
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
        with self._table.lock, translated(self.where, "keeping rollups"):
            table = self._table.writable()
            numbers = (table.transaction_version(NUMBER), table.transaction_version(TAKEN))
            if (seen.number, seen.taken) != tuple(-1 if number is None else number for number in numbers):
                return False
            old = seen.files.clear() if remove is None else remove
            if marks is not None:
                add = [*add, ("marks", marks.frame())]
                old = pl.concat([old, seen.files.filter(part="marks")])
            written = [self._write(part, frame) for part, frame in add if frame.height]
            next_numbers = {NUMBER: seen.number + 1} | ({} if taken is None else {TAKEN: taken})
            return self._table.commit(table, written, self._table.removals(old), next_numbers)

    def _write(self, part: str, frame: pl.DataFrame) -> Written:
        """Write a file durably; columns that say nothing are left out."""
        said = [name for name in frame.columns if frame[name].null_count() < frame.height]
        stats: dict[str, object] = {"numRecords": frame.height}
        if "end_ns" in said:
            stats["minValues"], stats["maxValues"] = ({"end_ns": end} for end in _ends(frame))
        return self._table.write(part, frame.select(said), json.dumps(stats), row_group_size=_ROW_GROUP_ROWS)

    # --- upkeep ---------------------------------------------------------------------------------

    def tidy(self, now_ns: int) -> int:
        """Write a checkpoint, shorten the log, and take files off the disk that nobody reads any more."""
        with self._table.lock, translated(self.where, "tidying the table of rollups"):
            table = self._table.checkpoint()
            self._table.files.run("clean log", table.cleanup_metadata)
            named = set(self.snapshot().files["path"])
            return self._table.drop_unnamed(named, now_ns - round(GRACE_S * NS_PER_S))


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
