"""One segment: a Parquet file of one day, with the statistics that let readers skip it.

A segment is written under its final name, which nobody knows before the commit, and is on the
disk before the commit names it. Its footer carries, as `tailrace.streams`, the rows, bytes of
lines and times per stream, so that the streams of a file cost a footer and not a scan.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

import polars as pl
from deltalake.transaction import AddAction

from tailrace import limits
from tailrace.batch import is_field
from tailrace.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from tailrace.files import Files

STREAMS_KEY: Final = "tailrace.streams"
"""Key of the footer's metadata that holds the streams of a segment."""

STREAMS_IN_FOOTER: Final = 4_096
"""A segment of more streams is scanned when they are asked for."""

STATS_CHARACTERS: Final = 64
"""Longer texts are cut in statistics: a lower one for the minimum, a higher one for the maximum."""

STREAM_CHARACTERS: Final = 512
"""The same for `_stream`, whose texts differ late."""

UNBOUNDED: Final = frozenset(("_line", "_more", "_raw", "_time", "_part", "_part_last", "_date"))
"""Envelope columns that are never compared, so they get no minimum and maximum."""

STREAMS_SCHEMA: Final = {
    "_stream": pl.String(),
    "rows": pl.Int64(),
    "line_bytes": pl.Int64(),
    "min_time_ns": pl.Int64(),
    "max_time_ns": pl.Int64(),
}

_BOUNDED: Final = frozenset((pl.String(), pl.Int64(), pl.Float64()))
_MEASURES: Final = (
    pl.len().cast(pl.Int64).alias("rows"),
    pl.col("_line").str.len_bytes().sum().cast(pl.Int64).alias("line_bytes"),
    pl.col("_time_ns").min().alias("min_time_ns"),
    pl.col("_time_ns").max().alias("max_time_ns"),
)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_HIGHEST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Segment:
    """A written file, not yet committed."""

    path: str  # relative to the table, as the log names it
    file: Path
    date: dt.date
    rows: int
    bytes: int
    stats: str
    streams: pl.DataFrame

    def action(self, now_ns: int, *, data_change: bool) -> AddAction:
        """Return the log's entry that adds this segment."""
        partition = {"_date": self.date.isoformat()}
        return AddAction(self.path, self.bytes, partition, now_ns // 1_000_000, data_change, self.stats)


def write(
    root: Path, date: dt.date, frame: pl.DataFrame, files: Files, *, level: int, columns: Iterable[str]
) -> Segment:
    """Write rows of one date durably as a segment; removes what it wrote when that fails.

    `columns` are those of the table, in its order: the first ones get statistics, which say of an absent one
    that it is null.
    """
    indexed = indexed_columns(columns)
    found = streams(frame)

    def put(file: Path) -> dict[str, Any]:  # as `statistics`
        frame.write_parquet(file, metadata=_metadata(found), **_parquet(level))
        return statistics(frame.lazy(), indexed, "in-memory")

    return _written(root, date, found, files, put)


def write_pieces(
    root: Path,
    date: dt.date,
    frame: pl.LazyFrame,
    found: pl.DataFrame,
    files: Files,
    *,
    level: int,
    columns: Iterable[str],
) -> Segment:
    """Write rows that come in pieces and whose streams are known, as `write` does, without ever holding them all."""
    indexed = indexed_columns(columns)

    def put(file: Path) -> dict[str, Any]:  # as `statistics`
        frame.sink_parquet(file, metadata=_metadata(found), engine="streaming", **_parquet(level))
        return statistics(pl.scan_parquet(file, glob=False, hive_partitioning=False), indexed)

    return _written(root, date, found, files, put)


def _written(
    root: Path,
    date: dt.date,
    found: pl.DataFrame,
    files: Files,
    put: Callable[[Path], dict[str, Any]],  # writes the file and returns its `statistics`
) -> Segment:
    folder = root / f"_date={date.isoformat()}"
    files.makedirs(folder)
    files.fsync_dir(root)  # even if the folder is not new: who made it may have died before this line
    file = folder / f"{uuid.uuid4().hex}.parquet"
    try:
        stats = files.run("write segment", lambda: put(file))
        files.fsync(file)
        files.fsync_dir(folder)
        size = file.stat().st_size
    except BaseException:
        discard(file, files)
        raise
    return Segment(f"{folder.name}/{file.name}", file, date, stats["numRecords"], size, _json(stats), found)


def _json(stats: dict[str, Any]) -> str:  # as `statistics`
    """Return the text for the log; in UTF-8, since the library misreads a character written as two surrogates."""
    return json.dumps(stats, ensure_ascii=False)


def _metadata(found: pl.DataFrame) -> dict[str, str] | None:
    return {STREAMS_KEY: found.write_json()} if found.height <= STREAMS_IN_FOOTER else None


class _Parquet(TypedDict):
    compression: Literal["zstd"]
    compression_level: int
    statistics: bool
    row_group_size: int


def _parquet(level: int) -> _Parquet:
    return {
        "compression": "zstd",
        "compression_level": level,
        "statistics": True,
        "row_group_size": limits.ROW_GROUP_ROWS,
    }


def in_order(names: Iterable[str]) -> list[str]:
    """Return the columns of a segment in their order: envelope first, then fields by name."""
    return sorted(names, key=lambda name: (is_field(name), name))


def discard(file: Path, files: Files) -> None:
    """Remove a segment that was not committed; what cannot be removed is an orphan for `vacuum`."""
    try:
        files.unlink(file)
    except (OSError, TransientError):
        return


def streams(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows, bytes of lines and times per stream."""
    names = frame["_stream"]
    if frame.height and names.null_count() == 0 and names.min() == names.max():  # a bulk import: no grouping needed
        return frame.select(pl.col("_stream").first(), *_MEASURES)
    return streams_lazily(frame.lazy())


def streams_lazily(frame: pl.LazyFrame) -> pl.DataFrame:
    """Return the same of rows that need not fit into memory."""
    return frame.group_by("_stream").agg(*_MEASURES).sort("_stream").collect(engine="streaming")


def joined(found: pl.DataFrame) -> pl.DataFrame:
    """Return the streams of several files together."""
    measures = pl.col("rows", "line_bytes").sum(), pl.col("min_time_ns").min(), pl.col("max_time_ns").max()
    return found.group_by("_stream").agg(*measures).sort("_stream")


def indexed_columns(columns: Iterable[str]) -> list[str]:
    """Return the columns of the table that get statistics: the first ones in the order in which it got them."""
    return [name for name in islice(columns, limits.STATS_COLUMNS) if name != "_date"]


def statistics(
    frame: pl.LazyFrame, indexed: Sequence[str], engine: Literal["in-memory", "streaming"] = "streaming"
) -> dict[str, Any]:  # the JSON object that Delta's protocol describes
    """Return row count, and null counts, minimum and maximum of some columns; absent ones are null in every row."""
    schema = frame.collect_schema()
    names = [name for name in indexed if name in schema]
    bounded = [name for name in names if name not in UNBOUNDED and schema[name] in _BOUNDED]
    measures = (
        pl.len().alias("rows"),
        *(pl.col(name).null_count().alias(f"nulls {name}") for name in names),
        *(pl.col(name).min().alias(f"min {name}") for name in bounded),
        *(pl.col(name).max().alias(f"max {name}") for name in bounded),
        *(pl.col(name).is_nan().any().alias(f"nan {name}") for name in bounded if schema[name] == pl.Float64()),
    )
    row = frame.select(*measures).collect(engine=engine).row(0, named=True)
    lowest: dict[str, str | int | float] = {}
    highest: dict[str, str | int | float] = {}
    for name in bounded:
        if row.get(f"nan {name}"):  # NaN has no place in an order, and none in JSON
            continue
        most = STREAM_CHARACTERS if name == "_stream" else STATS_CHARACTERS
        low, high = _lower(row[f"min {name}"], most), _upper(row[f"max {name}"], most)
        if low is not None:
            lowest[name] = low
        if high is not None:
            highest[name] = high
    if "_time" in names and "_time_ns" in lowest:  # for other engines: ours compares `_time_ns`
        lowest["_time"] = _stamp(int(row["min _time_ns"]) // 1_000_000)
        highest["_time"] = _stamp(-(-int(row["max _time_ns"]) // 1_000_000))
    nulls = {name: row.get(f"nulls {name}", row["rows"]) for name in indexed}
    return {"numRecords": row["rows"], "minValues": lowest, "maxValues": highest, "nullCount": nulls}


def _stamp(milliseconds: int) -> str:
    """Return a time as Delta's statistics write it: UTC, cut to milliseconds, so bounds are rounded away from it."""
    return f"{_EPOCH + dt.timedelta(milliseconds=milliseconds):%Y-%m-%dT%H:%M:%S}.{milliseconds % 1_000:03d}Z"


def _lower(value: str | float | None, most: int) -> str | int | float | None:
    if isinstance(value, str):
        return value[:most]
    return value if value is None or math.isfinite(value) else None


def _upper(value: str | float | None, most: int) -> str | int | float | None:
    if isinstance(value, str):
        if len(value) <= most:
            return value
        return value[:most] + _HIGHEST if value[most] < _HIGHEST else None
    return value if value is None or math.isfinite(value) else None
