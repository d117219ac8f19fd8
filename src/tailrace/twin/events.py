"""File events as they stand in `logs`: those that are new since a version, and those of a span of time.

Columns that hold one field with several types are read as one. Refuses nothing; a file that compaction took away
between the look at the log and the read is found again by asking for everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace.batch import READ_ORDER, stream_labels
from tailrace.ecs import STREAM_SOURCE
from tailrace.twin.records import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.contracts import Engine, Segments, Snapshot

EVER: Final = 2**62
_ORDERS: Final = 2**32  # rows of one taking have the numbers from `version * _ORDERS` on


def of_host(texts: Iterable[str], hosts: Sequence[str] | None = None) -> dict[str, str]:
    """Return the streams of file events with their host."""
    found = {text: stream_labels(text) for text in set(texts)}
    return {
        text: labels.get("host", "")
        for text, labels in found.items()
        if labels.get("source") == STREAM_SOURCE and (hosts is None or labels.get("host", "") in hosts)
    }


def newest(snapshot: Snapshot, since: int, engine: Engine, *, up_to: int | None = None) -> pl.DataFrame:
    """Return the events that came after a version; -1 is all of them. `up_to` bounds the rows of the files read, about."""
    segments = everything(snapshot) if since < 0 else snapshot.added_since(since)
    return _read(snapshot, segments, engine, EVENT, (-EVER, EVER), None)


def everything(snapshot: Snapshot) -> Segments:
    """Return all segments of the table."""
    return snapshot.segments(-EVER, EVER)


def between(
    snapshot: Snapshot,
    start_ns: int,
    end_ns: int,
    engine: Engine,
    *,
    columns: Mapping[str, pl.DataType] = EVENT,
    hosts: Sequence[str] | None = None,
    condition: nw.Expr | None = None,
) -> pl.DataFrame:
    """Return the events with `start_ns <= _time_ns < end_ns`, in reading order."""
    return _read(snapshot, snapshot.segments(start_ns, end_ns), engine, columns, (start_ns, end_ns), hosts, condition)


def _read(
    snapshot: Snapshot,
    segments: Segments,
    engine: Engine,
    columns: Mapping[str, pl.DataType],
    span: tuple[int, int],
    hosts: Sequence[str] | None,
    condition: nw.Expr | None = None,
) -> pl.DataFrame:
    schema = {**columns, "host": pl.String(), "order": pl.Int64()}
    streams = segments.streams()
    wanted = of_host(streams["_stream"].unique().to_list(), hosts)
    held = streams.filter(pl.col("_stream").is_in(list(wanted)))
    segments = segments.only(held["path"].unique().to_list())
    if not segments.frame.height:
        return pl.DataFrame(schema=schema)
    variants = {name: [*snapshot.variants(name)] for name in columns if name not in ("host", "order", "_time_ns")}
    needed = {name: snapshot.columns[name] for names in variants.values() for name in names}
    needed |= {name: snapshot.columns[name] for name in (*READ_ORDER, "_line")}
    frame = engine.scan(segments, needed).filter(nw.col("_stream").is_in(list(wanted)))
    if span != (-EVER, EVER):
        frame = frame.filter((nw.col("_time_ns") >= span[0]) & (nw.col("_time_ns") < span[1]))
    if condition is not None:
        frame = frame.filter(condition)
    rows = engine.collect(frame).sort(READ_ORDER, maintain_order=True)
    rows = rows.with_row_index("row")
    return rows.select(
        pl.col("_stream").replace_strict(list(wanted), list(wanted.values()), return_dtype=pl.String).alias("host"),
        (pl.lit(snapshot.version, pl.Int64) * _ORDERS + pl.col("row")).alias("order"),
        *(_one(names, schema[name]).alias(name) for name, names in variants.items()),
        *(pl.col(name) for name in columns if name == "_time_ns"),
    ).select(*schema)


def _one(names: Sequence[str], dtype: pl.DataType) -> pl.Expr:
    if not names:
        return pl.lit(None, dtype)
    return pl.coalesce(pl.col(name).cast(dtype, strict=False) for name in names)
