"""Check the table against its files: every fault is reported, nothing is changed.

Looked at: every commit of the log is whole; every file that the table names is there, has the size
and the rows that the log states, and only rows of its date; its statistics hold for its rows, since a wrong
one would hide rows from queries; the streams in its footer are those of its rows; so is its skip index.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.exceptions import PolarsError

from tailrace.store import footer, log, scan, segment, skip
from tailrace.store.failures import first_line, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.store.place import Place
    from tailrace.store.table import LogTable

Row = dict[str, Any]  # one file with its statistics, of any type


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one file of the table or of its log."""

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at, and what is wrong."""

    version: int
    files: int
    rows: int
    bytes: int
    commits: int
    faults: tuple[Fault, ...]


def verify(table: LogTable) -> VerifyReport:
    """Read every file of the table and compare it with what the log says of it."""
    snapshot = table.snapshot()
    with translated(table.where, "verifying"):
        table.place.reach(-1)
        commits = log.versions(table.root)
        faults = [*_log_faults(table.root, commits)]
        for row in snapshot.files.iter_rows(named=True):
            faults += [Fault(row["path"], what) for what in _file_faults(row, table.place)]
    rows, size = int(snapshot.files["rows"].sum()), int(snapshot.files["bytes"].sum())
    return VerifyReport(snapshot.version, snapshot.files.height, rows, size, len(commits), tuple(faults))


def _log_faults(root: Path, versions: list[int]) -> Iterator[Fault]:
    for version in versions:
        try:
            log.read(root, version)
        except log.TornCommitError as error:
            yield Fault(str(log.commit_file(root, version)), str(error))
        except FileNotFoundError:
            continue
    newest_checkpoint = max(log.checkpoints(root), default=-1)
    needed = [version for version in versions if version > newest_checkpoint]
    for version, after in pairwise(needed):
        if after != version + 1:
            yield Fault(str(log.commit_file(root, version + 1)), f"commits {version + 1} to {after - 1} are missing")


def _file_faults(row: Row, place: Place) -> Iterator[str]:
    try:
        with place.lent(row["path"]) as file:
            size = file.stat().st_size
            if size != row["bytes"]:
                yield f"has {size} bytes, the log says {row['bytes']}"
            rows = footer.rows(file)
            if rows != row["rows"]:
                yield f"has {rows} rows, the log says {row['rows']}"
            yield from _row_faults(file, row)
        yield from _index_faults(row, place)
    except FileNotFoundError:
        yield "is missing"
    except (OSError, ValueError, IndexError, KeyError, PolarsError) as error:
        yield f"cannot be read: {first_line(error)}"


def _row_faults(file: Path, row: Row) -> Iterator[str]:
    rows = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    found = segment.statistics(rows, rows.collect_schema().names())
    for name, real in found["minValues"].items():
        said = row.get(f"min.{name}")
        if said is not None and said > real:
            yield f"the minimum of {name} is {real!r}, the log says {said!r}"
    for name, real in found["maxValues"].items():
        said = row.get(f"max.{name}")
        if said is not None and said < real:
            yield f"the maximum of {name} is {real!r}, the log says {said!r}"
    for name, real in found["nullCount"].items():
        said = row.get(f"null_count.{name}")
        if said is not None and said != real:
            yield f"{name} is null in {real} rows, the log says {said}"
    date = pl.from_epoch(pl.col("_time_ns") // 1_000, time_unit="us").dt.date()
    strange = rows.filter(date.ne_missing(pl.lit(row["date"]))).select(pl.len()).collect().item()
    if strange:
        yield f"{strange} rows are not of {row['date']}"
    if not scan.read_streams(str(file)).equals(segment.streams_lazily(rows)):
        yield "its footer states other streams than its rows have"


def _index_faults(row: Row, place: Place) -> Iterator[str]:
    index = skip.index_file(Path(row["path"]))
    try:
        with place.lent(str(index)) as near:
            said = near.read_bytes()
    except FileNotFoundError:
        return
    with place.lent(row["path"]) as file:
        if said != skip.build(file, row["rows"]):
            yield f"its skip index {index.name} is not what its rows give; remove that file and compact"
