"""The Delta table `files` in the data folder: records in parts, and which version of `logs` they reach to.

Three partitions: `tail`, records as they came; `live`, one record per living path, files of disjoint ranges in order of
host and path; `gone`, what was removed and moved lately. A commit that brings records carries the Delta transaction
`logs` with the version that was taken, so it can be made once only; one that condenses carries the next number of the
transaction `condense`, so that two at once cannot both replace the same files.

Refuses what the store refuses. The first write sets a torn newest commit aside; its records are in `logs`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.store import log
from tailrace.store.failures import translated
from tailrace.store.side_table import Shape, SideTable
from tailrace.twin.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tailrace.files import Files
    from tailrace.store.place import Place
    from tailrace.store.side_table import Written

Part = str  # `tail`, `live` or `gone`

TAKEN: Final = "logs"
"""Name of the transaction whose number is the version of `logs` that the records reach to."""

CONDENSE: Final = "condense"
"""Name of the transaction of commits that replace files."""

RANGE_KEY: Final = "tailrace.range"
"""Key of a file's footer: first and last host and path, as JSON."""

ROW_GROUP_ROWS: Final = 16_384
"""Rows of a row group: a folder's question reads a few of them."""

_FILES: Final = {
    "path": pl.String(),
    "part": pl.String(),
    "rows": pl.Int64(),
    "bytes": pl.Int64(),
    "added_ms": pl.Int64(),
}
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 31 days",
    "delta.deletedFileRetentionDuration": "interval 31 days",
}
_SHAPE: Final = Shape("files", SCHEMA, "part", _CONFIGURATION)

Bounds = tuple[tuple[str, str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FilesSnapshot:
    """The table at one version."""

    version: int  # -1: there is no table yet
    taken: int  # the version of `logs` that the records reach to; -1: none
    condensed: int  # the number of the last condensing; -1: none
    committed_ns: int
    files: pl.DataFrame = field(repr=False)

    def part(self, name: Part) -> pl.DataFrame:
        """Return the files of a partition, oldest first."""
        return self.files.filter(pl.col("part") == name)

    def rows(self, name: Part) -> int:
        """Return how many records a partition has."""
        return int(self.part(name)["rows"].sum())


NOTHING: Final = FilesSnapshot(-1, -1, -1, 0, pl.DataFrame(schema=_FILES))


class FilesTable:
    """Reads and writes the table; any thread may, writers take turns. It is made by the first write."""

    def __init__(self, where: Path | Place, files: Files | None = None) -> None:
        self.table = SideTable(where, _SHAPE, files)
        self.root = self.table.root
        self.place = self.table.place
        self._newest = NOTHING

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> FilesSnapshot:
        """Return the newest version."""
        with self.table.lock, translated(self.table.where, "reading the table of files"):
            newest = self.table.newest()
            if newest is None:
                return NOTHING
            if newest != self._newest.version:
                self._newest = self.at(newest)
            self.table.near(self._newest.files)
            return self._newest

    def exists(self) -> bool:
        """Tell whether there is a table."""
        return self.snapshot().version >= 0

    def at(self, version: int) -> FilesSnapshot:
        """Return an older version."""
        with translated(self.table.where, "reading the table of files"):
            table, raw = self.table.at(version)
            numbers = (table.transaction_version(name) for name in (TAKEN, CONDENSE))
            taken, condensed = (-1 if number is None else number for number in numbers)
            if not raw.height:
                return FilesSnapshot(version, taken, condensed, self._committed_ns(version), NOTHING.files)
            files = raw.select(
                "path",
                pl.col("partition.part").alias("part"),
                pl.col("num_records").cast(pl.Int64).alias("rows"),
                pl.col("size_bytes").cast(pl.Int64).alias("bytes"),
                pl.col("modification_time").cast(pl.Int64).alias("added_ms"),
            ).sort("added_ms", "path")
            return FilesSnapshot(version, taken, condensed, self._committed_ns(version), files.cast(pl.Schema(_FILES)))

    def keys(self, part: Part) -> pl.DataFrame:
        """Return host and path of the records of a partition."""
        return scan(self.snapshot().part(part)["path"].to_list()).select("host", "path").collect(engine="streaming")

    def before(self, time_ns: int) -> FilesSnapshot | None:
        """Return the newest version that was committed by a time, if its files are still there."""
        self.place.reach(-1)
        found = [v for v in log.versions(self.root) if (at := self._committed_ns(v)) and at <= time_ns]
        for version in reversed(found):
            snapshot = self.at(version)
            named = set(snapshot.files["path"])
            if self.place.there(list(named)) == named:
                self.table.near(snapshot.files)
                return snapshot
        return None

    def versions(self) -> list[tuple[int, int]]:
        """Return the versions that the log knows, rising, with the times of their commits."""
        self.place.refresh()
        self.place.reach(-1)
        return [(version, self._committed_ns(version)) for version in log.versions(self.root)]

    def _committed_ns(self, version: int) -> int:
        return _committed_ns(str(log.commit_file(self.root, version)))

    # --- writers --------------------------------------------------------------------------------

    def append(self, records: pl.DataFrame, taken: int | None) -> bool:
        """Add records and say how far `logs` was read, if they end there; false if the table has got so far already."""
        with self.table.lock, translated(self.table.where, "adding records"):
            table = self.table.writable()
            known = table.transaction_version(TAKEN)
            if known is not None and taken is not None and known >= taken:
                return False
            written = [self._write("tail", rows) for rows in records.iter_slices(limits.TWIN_TAIL_ROWS) if rows.height]
            return self.table.commit(table, written, [], {} if taken is None else {TAKEN: taken})

    def replace(self, seen: FilesSnapshot, old: pl.DataFrame, new: Iterable[tuple[Part, pl.DataFrame]]) -> int | None:
        """Put files in the place of `old` ones at once, and return how many; None if somebody did since `seen`."""
        with translated(self.table.where, "condensing"):
            written: list[Written] = []
            try:
                written += (self._write(part, frame) for part, frame in new if frame.height)
            except BaseException:
                self.table.discard(written)
                raise
            with self.table.lock:
                table = self.table.writable()
                last = table.transaction_version(CONDENSE)
                if (-1 if last is None else last) != seen.condensed:
                    self.table.discard(written)
                    return None
                numbers = {CONDENSE: seen.condensed + 1}
                return len(written) if self.table.commit(table, written, self.table.removals(old), numbers) else None

    def _write(self, part: Part, frame: pl.DataFrame) -> Written:
        """Write a file durably; columns that say nothing are left out."""
        said = [name for name in frame.columns if name in SCHEMA and frame[name].null_count() < frame.height]
        first, last = frame.select(pl.struct("host", "path")).to_series().gather([0, frame.height - 1]).to_list()
        bounds = json.dumps([[first["host"], first["path"]], [last["host"], last["path"]]])
        stats = json.dumps({"numRecords": frame.height})
        return self.table.write(
            part, frame.select(said), stats, row_group_size=ROW_GROUP_ROWS, metadata={RANGE_KEY: bounds}
        )

    # --- upkeep ---------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Write a checkpoint of the newest version."""
        with self.table.lock, translated(self.table.where, "writing a checkpoint"):
            self.table.checkpoint()


def scan(paths: Sequence[str]) -> pl.LazyFrame:
    """Return the records of some files, lazily."""
    if not paths:
        return pl.LazyFrame(schema=dict(SCHEMA))
    return pl.scan_parquet(
        list(paths),
        schema=dict(SCHEMA),
        missing_columns="insert",
        extra_columns="ignore",
        hive_partitioning=False,
        glob=False,
    )


@lru_cache(maxsize=16_384)
def bounds(path: str) -> Bounds:
    """Return the first and the last host and path of a file; files never change."""
    (first, last) = json.loads(pl.read_parquet_metadata(path)[RANGE_KEY])
    return (first[0], first[1]), (last[0], last[1])


@lru_cache(maxsize=65_536)
def _committed_ns(commit: str) -> int:
    """Return when a commit was made, 0 if its file has no time."""
    for line in Path(commit).read_text(encoding="utf-8").splitlines():
        action = json.loads(line)
        if "commitInfo" in action:
            return int(action["commitInfo"].get("timestamp", 0)) * 1_000_000
    return 0
