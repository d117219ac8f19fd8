"""Rows of some segments, sorted, in pieces of bounded size.

The streams of each file are known (see `segment`), so the range of streams that fills a piece is
known before a row is read; a stream that is larger than a piece is cut at times that are read first. Each
piece is then read, sorted and handed on alone. Memory is about one piece, time about one scan per piece of
those row groups that the range touches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars.io.plugins import register_io_source

from tailrace import limits
from tailrace.contracts import Opened
from tailrace.store import place
from tailrace.store.segment import in_order, joined, streams_lazily

if TYPE_CHECKING:
    from collections.abc import Iterator

SORT: Final = ("_stream", "_time_ns", "_observed_ns", "_offset")

PIECE_ROWS: Final = 262_144
"""Rows that are sorted at once: two row groups. Measured over 3 M JSON rows of 12 files: 290 MB at the peak."""

PIECE_BYTES: Final = 64 * limits.MIB
"""Bytes of `_line` that are sorted at once, for logs of long lines."""


def sorted_rows(
    opened: Opened, found: pl.DataFrame, keep: pl.Expr | None = None, *, rows: int = PIECE_ROWS
) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """Return the rows of some files, to be streamed in the order of `SORT`, and their streams.

    `found` are the streams of each file; `keep` leaves out the rows that it does not hold for.
    """
    schema = _schema(opened)
    scan = place.scan(opened, schema=schema, missing_columns="insert", extra_columns="ignore")
    if keep is not None:
        scan = scan.filter(keep)
        found = streams_lazily(scan)
    order = [name for name in SORT if name in schema]
    rows = max(1, min(rows, PIECE_BYTES * int(found["rows"].sum()) // max(1, int(found["line_bytes"].sum()))))

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        for wanted in ranges(scan, found, rows):
            piece = scan.filter(wanted).collect(engine="streaming").sort(order, maintain_order=True)
            piece = piece if predicate is None else piece.filter(predicate)
            piece = piece if with_columns is None else piece.select(with_columns)
            yield piece if n_rows is None else piece.head(n_rows)

    return register_io_source(source, schema=schema), joined(found)


def _schema(opened: Opened) -> dict[str, pl.DataType]:
    """Return the columns of some files together, envelope first."""
    schema: dict[str, pl.DataType] = {}
    each = [*(Opened([one], []) for one in opened.local), *(Opened([], [one], opened.options) for one in opened.remote)]
    for one in each:
        schema |= place.scan(one).collect_schema()
    return {name: schema[name] for name in in_order(schema)}


def ranges(scan: pl.LazyFrame, found: pl.DataFrame, rows: int) -> Iterator[pl.Expr]:
    """Yield conditions that take each row once, in rising order of stream and time, about `rows` rows each."""
    stream = pl.col("_stream")
    if found["_stream"].null_count():
        yield stream.is_null()
    known = found.drop_nulls("_stream").group_by("_stream").agg(pl.col("rows").sum()).sort("_stream")
    first: str | None = None
    last, taken = "", 0
    for name, count in known.iter_rows():
        if first is not None and taken + count > rows:
            yield stream.is_between(pl.lit(first), pl.lit(last))
            first, taken = None, 0
        if count > rows:
            yield from _cut(scan, name, rows)
            continue
        first, last, taken = first if first is not None else name, name, taken + count
    if first is not None:
        yield stream.is_between(pl.lit(first), pl.lit(last))


def _cut(scan: pl.LazyFrame, name: str, rows: int) -> Iterator[pl.Expr]:
    """Yield the conditions of one large stream, cut at times."""
    of_stream = pl.col("_stream") == name
    times = scan.filter(of_stream).select("_time_ns").collect(engine="streaming")["_time_ns"].sort()
    cuts = [times[at] for at in range(rows, len(times), rows)]
    starts = [None, *dict.fromkeys(cuts)]
    for start, end in zip(starts, [*starts[1:], None], strict=True):
        wanted = of_stream
        if start is not None:
            wanted &= pl.col("_time_ns") >= start
        if end is not None:
            wanted &= pl.col("_time_ns") < end
        yield wanted
