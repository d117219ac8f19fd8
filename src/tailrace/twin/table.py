"""The Delta table `files` in the data folder: records in parts, and which version of `logs` they reach to.

Three partitions: `tail`, records as they came; `live`, one record per living path, files of disjoint ranges in order of
host and path; `gone`, what was removed and moved lately. A commit that brings records carries the Delta transaction
`logs` with the version that was taken, so it can be made once only; one that condenses carries the next number of the
transaction `condense`, so that two at once cannot both replace the same files.

Refuses what the store refuses. The first write sets a torn newest commit aside; its records are in `logs`.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.schema import PrimitiveType
from deltalake.transaction import AddAction, CommitProperties, PostCommitHookProperties, RemoveAction, Transaction

from tailrace import limits
from tailrace.files import Files
from tailrace.store import log
from tailrace.store.failures import translated
from tailrace.twin.records import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Part = str  # `tail`, `live` or `gone`

TAKEN: Final = "logs"
"""Name of the transaction whose number is the version of `logs` that the records reach to."""

CONDENSE: Final = "condense"
"""Name of the transaction of commits that replace files."""

RANGE_KEY: Final = "tailrace.range"
"""Key of a file's footer: first and last host and path, as JSON."""

ROW_GROUP_ROWS: Final = 16_384
"""Rows of a row group: a folder's question reads a few of them."""

_DELTA: Final = {pl.String(): "string", pl.Int64(): "long", pl.Boolean(): "boolean"}
_FILES: Final = {
    "path": pl.String(),
    "part": pl.String(),
    "rows": pl.Int64(),
    "bytes": pl.Int64(),
    "added_ms": pl.Int64(),
}
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
_CONFIGURATION: Final = {
    "delta.logRetentionDuration": "interval 31 days",
    "delta.deletedFileRetentionDuration": "interval 31 days",
}

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


@dataclass(frozen=True, slots=True)
class Written:
    """A file on the disk that no commit names yet."""

    part: Part
    file: Path
    rows: int
    stats: str


class FilesTable:
    """Reads and writes the table; any thread may, writers take turns. It is made by the first write."""

    def __init__(self, data: Path, files: Files | None = None) -> None:
        self.root = data.absolute() / "files"
        self.files = files or Files()
        self._lock = threading.RLock()
        self._delta: DeltaTable | None = None
        self._newest = NOTHING

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> FilesSnapshot:
        """Return the newest version."""
        with self._lock, translated(self.root, "reading the table of files"):
            newest = log.newest_whole(self.root)
            if newest is None:
                return NOTHING
            if newest != self._newest.version:
                self._newest = self.at(newest)
            return self._newest

    def exists(self) -> bool:
        """Tell whether there is a table."""
        return self.snapshot().version >= 0

    def at(self, version: int) -> FilesSnapshot:
        """Return an older version."""
        with translated(self.root, "reading the table of files"):
            table = DeltaTable(self.root.as_uri(), version=version)
            numbers = (table.transaction_version(name) for name in (TAKEN, CONDENSE))
            taken, condensed = (-1 if number is None else number for number in numbers)
            raw = pl.DataFrame(table.get_add_actions(flatten=True))
            if not raw.height:
                return FilesSnapshot(version, taken, condensed, self._committed_ns(version), NOTHING.files)
            files = raw.select(
                (pl.lit(f"{self.root}/") + pl.col("path")).alias("path"),
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
        found = [v for v in log.versions(self.root) if (at := self._committed_ns(v)) and at <= time_ns]
        for version in reversed(found):
            snapshot = self.at(version)
            if all(Path(path).exists() for path in snapshot.files["path"]):
                return snapshot
        return None

    def versions(self) -> list[tuple[int, int]]:
        """Return the versions that the log knows, rising, with the times of their commits."""
        return [(version, self._committed_ns(version)) for version in log.versions(self.root)]

    def _committed_ns(self, version: int) -> int:
        return _committed_ns(str(log.commit_file(self.root, version)))

    # --- writers --------------------------------------------------------------------------------

    def append(self, records: pl.DataFrame, taken: int | None) -> bool:
        """Add records and say how far `logs` was read, if they end there; false if the table has got so far already."""
        with self._lock, translated(self.root, "adding records"):
            table = self._writable()
            known = table.transaction_version(TAKEN)
            if known is not None and taken is not None and known >= taken:
                return False
            written = [self._write("tail", rows) for rows in records.iter_slices(limits.TWIN_TAIL_ROWS) if rows.height]
            return self._commit(table, written, [], {} if taken is None else {TAKEN: taken})

    def replace(self, seen: FilesSnapshot, old: pl.DataFrame, new: Iterable[tuple[Part, pl.DataFrame]]) -> int | None:
        """Put files in the place of `old` ones at once, and return how many; None if somebody did since `seen`."""
        with translated(self.root, "condensing"):
            written: list[Written] = []
            try:
                written += (self._write(part, frame) for part, frame in new if frame.height)
            except BaseException:
                self._discard(written)
                raise
            with self._lock:
                table = self._writable()
                last = table.transaction_version(CONDENSE)
                if (-1 if last is None else last) != seen.condensed:
                    self._discard(written)
                    return None
                numbers = {CONDENSE: seen.condensed + 1}
                return len(written) if self._commit(table, written, self._removals(old), numbers) else None

    def _removals(self, old: pl.DataFrame) -> list[RemoveAction]:
        now_ms = time.time_ns() // 1_000_000
        rows = old.select("path", "part", "bytes").iter_rows()
        return [
            RemoveAction(path.removeprefix(f"{self.root}/"), True, now_ms, size, {"part": part})
            for path, part, size in rows
        ]

    def _commit(
        self, table: DeltaTable, written: Sequence[Written], removals: Sequence[RemoveAction], numbers: dict[str, int]
    ) -> bool:
        now_ms = time.time_ns() // 1_000_000
        adds = [
            AddAction(
                str(one.file.relative_to(self.root)),
                one.file.stat().st_size,
                {"part": one.part},
                now_ms,
                True,
                one.stats,
            )
            for one in written
        ]
        transactions = [Transaction(name, number, now_ms) for name, number in numbers.items()]
        actions: list[AddAction | RemoveAction] = [*adds, *removals]
        properties = CommitProperties({log.ACTIONS_KEY: len(actions) + len(numbers)}, app_transactions=transactions)

        def write() -> None:
            table.create_write_transaction(
                actions,
                "append",
                table.schema(),
                ["part"],
                commit_properties=properties,
                post_commithook_properties=_NO_HOOKS,
            )

        before = table.version()
        try:
            self.files.run("commit", write)
        except BaseException as error:
            self._delta = None
            if self._is_committed(before, written, numbers):
                return True
            self._discard(written)
            if isinstance(error, CommitFailedError) and "os error" not in str(error):
                return False
            raise
        self.files.fsync(log.commit_file(self.root, table.version()))
        self.files.fsync_dir(self.root / log.LOG)
        return True

    def _is_committed(self, before: int, written: Sequence[Written], numbers: dict[str, int]) -> bool:
        paths = {str(one.file.relative_to(self.root)) for one in written}
        for version in (number for number in log.versions(self.root) if number > before):
            found = log.read(self.root, version)
            if found.paths == paths and found.transactions == numbers:
                return True
        return False

    def _writable(self) -> DeltaTable:
        """Return the library's handle on the newest version; the table is made if there is none."""
        if self._delta is None:
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
        columns = {**SCHEMA, "part": pl.String()}
        DeltaTable.create(
            self.root.as_uri(),
            Schema([Field(name, PrimitiveType(_DELTA[dtype])) for name, dtype in columns.items()]),
            mode="ignore",
            partition_by=["part"],
            name="files",
            configuration=_CONFIGURATION,
            raise_if_key_not_exists=False,
        )

    def _write(self, part: Part, frame: pl.DataFrame) -> Written:
        """Write a file durably; columns that say nothing are left out."""
        folder = self.root / f"part={part}"
        self.files.makedirs(folder)
        self.files.fsync_dir(self.root)
        file = folder / f"{uuid.uuid4().hex}.parquet"
        said = [name for name in frame.columns if name in SCHEMA and frame[name].null_count() < frame.height]
        first, last = frame.select(pl.struct("host", "path")).to_series().gather([0, frame.height - 1]).to_list()
        bounds = json.dumps([[first["host"], first["path"]], [last["host"], last["path"]]])
        try:
            self.files.run(
                "write records",
                lambda: frame.select(said).write_parquet(
                    file,
                    compression="zstd",
                    compression_level=3,
                    row_group_size=ROW_GROUP_ROWS,
                    metadata={RANGE_KEY: bounds},
                ),
            )
            self.files.fsync(file)
            self.files.fsync_dir(folder)
        except BaseException:
            self.files.unlink(file)
            raise
        return Written(part, file, frame.height, json.dumps({"numRecords": frame.height}))

    def _discard(self, written: Sequence[Written]) -> None:
        for one in written:
            self.files.unlink(one.file)

    # --- upkeep ---------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Write a checkpoint of the newest version."""
        with self._lock, translated(self.root, "writing a checkpoint"):
            self.files.run("checkpoint", self._writable().create_checkpoint)


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
