"""What the table holds: rows, bytes and files, per date and per column, and how far each agent is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tailrace.store import footer, log, skip
from tailrace.store.failures import translated

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from tailrace.store.table import LogTable


@dataclass(frozen=True, slots=True)
class DateInfo:
    """One date of the table."""

    date: dt.date
    files: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column of the table; bytes are compressed ones, over all files."""

    name: str
    type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class TableInfo:
    """The table at one version."""

    path: str
    version: int
    files: int
    rows: int
    bytes: int
    log_bytes: int
    index_bytes: int
    indexed_rows: int
    streams: int
    min_time_ns: int | None
    max_time_ns: int | None
    dates: tuple[DateInfo, ...]
    columns: tuple[ColumnInfo, ...]
    positions: Mapping[str, int]


def info(table: LogTable) -> TableInfo:
    """Return what the table holds; reads the footer of every file."""
    snapshot = table.snapshot()
    files = snapshot.files
    sizes: Counter[str] = Counter()
    place = table.place
    with translated(table.where, "reading the segments"):
        for each in place.each(lambda path: footer.columns(place.openable(path)), files["path"]):
            for name, size in each.items():
                sizes[name] += size.compressed_bytes
        streams = table.streams_of(files["path"].to_list())["_stream"].n_unique()
        log_bytes = sum(found.bytes for found in place.listed(f"{log.LOG}/*"))
        positions = log.transactions(table.root)
        found = {index.path: index.bytes for index in place.listed(f"{skip.FOLDER}/*{skip.SUFFIX}")}
        indexes = {path: found[file] for path in files["path"] if (file := skip.index_file(Path(path))) in found}
    sums = pl.len(), pl.col("rows").sum(), pl.col("bytes").sum()
    times = files.select(pl.col("min_time_ns").min(), pl.col("max_time_ns").max()).row(0)
    return TableInfo(
        path=table.where,
        version=snapshot.version,
        files=files.height,
        rows=int(files["rows"].sum()),
        bytes=int(files["bytes"].sum()),
        log_bytes=log_bytes,
        index_bytes=sum(indexes.values()),
        indexed_rows=int(files.filter(pl.col("path").is_in(list(indexes)))["rows"].sum()),
        streams=streams,
        min_time_ns=times[0],
        max_time_ns=times[1],
        dates=tuple(DateInfo(*row) for row in files.group_by("date").agg(*sums).sort("date").iter_rows()),
        columns=tuple(ColumnInfo(name, str(dtype), sizes[name]) for name, dtype in snapshot.columns.items()),
        positions=positions,
    )
