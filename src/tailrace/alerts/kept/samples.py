"""The Delta table `samples` in the data folder: what rules recorded, one row per series and window.

Comes in: samples in the order in which they were made, with the number of the last one. Goes out: the files that may
hold samples of a span of time. A commit that brings samples carries the Delta transaction `recorded` with that number:
samples are taken once only, whatever is repeated after a crash. Rows of one day lie in one partition, in order of name,
series and time; a day's files are joined when they are many, and days go when they are too old.

The first write sets a torn newest commit aside; its samples are still where they came from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import TransientError
from tailrace.store.failures import translated
from tailrace.store.side_table import Shape, SideTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from deltalake import DeltaTable
    from deltalake.transaction import RemoveAction

    from tailrace.files import Files
    from tailrace.store.place import Place
    from tailrace.store.side_table import Written

RECORDED: Final = "recorded"
"""Name of the transaction whose number is that of the last sample that was taken."""

SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "_time_ns": pl.Int64(),
    "name": pl.String(),  # of the metric
    "key": pl.String(),  # all labels, the name among them, see batch.stream_text
    "value": pl.Float64(),  # null where the series ended
    "stale": pl.Boolean(),  # the series ended here
    "rule": pl.String(),
    "version": pl.Int64(),  # how often the window was corrected: the highest counts
    "id": pl.Int64(),  # the order in which they were made
}

JOINED_FILES: Final = 24
"""Files of one day that are joined: a few hours of moving."""

KEPT_S: Final = 86_400
"""How long a file stays after it was joined or dropped: for readers, and for those who look at older versions."""

_FILES: Final = {
    "path": pl.String(),
    "day": pl.String(),
    "rows": pl.Int64(),
    "bytes": pl.Int64(),
    "min_ns": pl.Int64(),
    "max_ns": pl.Int64(),
}
_DAY_NS: Final = 86_400 * 10**9
_SHAPE: Final = Shape("samples", SCHEMA, "day", {"delta.logRetentionDuration": "interval 2 days"})


@dataclass(frozen=True, slots=True)
class SamplesSnapshot:
    """The table at one version."""

    version: int  # -1: there is no table yet
    taken: int  # the number of the last sample that it has; 0: none
    files: pl.DataFrame = field(repr=False)

    def scan(self, start_ns: int, end_ns: int) -> pl.LazyFrame:
        """Return the samples with `start_ns <= time < end_ns`, lazily."""
        inside = (pl.col("max_ns") >= start_ns) & (pl.col("min_ns") < end_ns)
        time_ns = pl.col("_time_ns")
        return scan(self.files.filter(inside)["path"].to_list()).filter((time_ns >= start_ns) & (time_ns < end_ns))


NOTHING: Final = SamplesSnapshot(-1, 0, pl.DataFrame(schema=_FILES))


class SamplesTable:
    """Reads and writes the table; any thread may, writers take turns. It is made by the first write."""

    def __init__(self, where: Path | Place, files: Files | None = None) -> None:
        self._table = SideTable(where, _SHAPE, files)
        self.root = self._table.root
        self._newest = NOTHING

    def snapshot(self) -> SamplesSnapshot:
        """Return the newest version."""
        with self._table.lock, translated(self._table.where, "reading recorded samples"):
            newest = self._table.newest()
            if newest is None:
                return NOTHING
            if newest != self._newest.version:
                self._newest = self._read(newest)
            self._table.near(self._newest.files)
            return self._newest

    def _read(self, version: int) -> SamplesSnapshot:
        table, raw = self._table.at(version)
        taken = table.transaction_version(RECORDED) or 0
        if not raw.height:
            return SamplesSnapshot(version, taken, NOTHING.files)
        files = raw.select(
            "path",
            pl.col("partition.day").alias("day"),
            pl.col("num_records").alias("rows"),
            pl.col("size_bytes").alias("bytes"),
            pl.col("min._time_ns").alias("min_ns"),
            pl.col("max._time_ns").alias("max_ns"),
        )
        return SamplesSnapshot(version, taken, files.cast(pl.Schema(_FILES)).sort("min_ns", "path"))

    # --- writers --------------------------------------------------------------------------------

    def append(self, samples: pl.DataFrame, upto: int) -> bool:
        """Take samples, the last of which has the number `upto`; false if the table has got so far already."""
        with self._table.lock, translated(self._table.where, "moving recorded samples"):
            table = self._table.writable()
            known = table.transaction_version(RECORDED)
            if known is not None and known >= upto:
                return False
            self._commit(table, self._write(samples), [], upto)
            return True

    def join(self, day: str) -> int:
        """Put one file in the place of a day's files; return how many those were."""
        with self._table.lock, translated(self._table.where, "joining recorded samples"):
            old = self.snapshot().files.filter(pl.col("day") == day)
            newest = pl.col("version").max().over("rule", "key", "_time_ns")
            rows = scan(old["path"].to_list()).filter(pl.col("version") == newest).collect()
            self._commit(self._table.writable(), self._write(rows), self._table.removals(old), None)
            return old.height

    def tidy(self, before_ns: int) -> int:
        """Drop the days that ended before a time, join those of many files, and return how many files that were."""
        if self.snapshot().version < 0:
            return 0
        with self._table.lock, translated(self._table.where, "tidying recorded samples"):
            files = self.snapshot().files
            old = files.filter(pl.col("max_ns") < before_ns // _DAY_NS * _DAY_NS)
            if old.height:
                self._commit(self._table.writable(), [], self._table.removals(old), None)
            left = files.join(old, on="path", how="anti")
            many = left.group_by("day").len().filter(pl.col("len") >= JOINED_FILES)["day"].sort()
            done = old.height + sum(self.join(day) for day in many)
            if done:
                self._table.checkpoint()
                table = self._table.writable()
                table.vacuum(KEPT_S // 3600, dry_run=False, enforce_retention_duration=False, full=True)
                table.cleanup_metadata()
            return done

    def _commit(
        self, table: DeltaTable, written: Sequence[Written], removals: Sequence[RemoveAction], upto: int | None
    ) -> None:
        """Commit; what was lost to a commit of somebody else is seen when it is tried again, by its number."""
        if not self._table.commit(table, written, removals, {} if upto is None else {RECORDED: upto}):
            raise TransientError(f"{self._table.where}: another program wrote samples at the same time")

    def _write(self, samples: pl.DataFrame) -> list[Written]:
        """Write files durably, one per day."""
        days = samples.with_columns(_day=pl.from_epoch("_time_ns", time_unit="ns").dt.strftime("%Y-%m-%d"))
        return [self._file(day, rows) for day, rows in _by_day(days)]

    def _file(self, day: str, rows: pl.DataFrame) -> Written:
        ordered = rows.select(*SCHEMA).sort("name", "key", "_time_ns", "id")
        low = {"_time_ns": rows["_time_ns"].min(), "name": rows["name"].min()}
        high = {"_time_ns": rows["_time_ns"].max(), "name": rows["name"].max()}
        stats = {"numRecords": rows.height, "minValues": low, "maxValues": high}
        return self._table.write(day, ordered, json.dumps(stats))


def scan(paths: Sequence[str]) -> pl.LazyFrame:
    """Return the samples of some files, lazily."""
    if not paths:
        return pl.LazyFrame(schema=dict(SCHEMA))
    return pl.scan_parquet(
        list(paths), schema=dict(SCHEMA), extra_columns="ignore", hive_partitioning=False, glob=False
    )


def _by_day(samples: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for (day,), rows in samples.group_by("_day", maintain_order=True):
        yield str(day), rows
