"""Answers as a table with one column per label: CSV and Parquet.

Columns: `time`, one per stream label, one per field, `line`; or `time`, one per label, `value`. A name
that is taken already gets `_extracted` behind it, as in LogQL.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.render.columns import fields, pieces, stream_labels, time_text
from tailrace.query.render.series import value_text
from tailrace.query.result import Lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tailrace.query.result import Series

_FORMULA: Final = r"^[=+\-@\t\r]"
_PLAIN_NUMBER: Final = r"^[+-]\d+\.?\d*$"


def sheet(answer: Lines | Series) -> pl.DataFrame:
    """Return the table of an answer, with `_time_ns` for the exact time."""
    return _lines(answer.frame) if isinstance(answer, Lines) else _samples(answer)


def csv(table: pl.DataFrame) -> Iterator[str]:
    """Yield the table as CSV, header first; times as RFC 3339."""
    shown = table.with_columns(_time_ns=time_text()).rename({"_time_ns": "time"})
    if shown.schema.get("value") == pl.Float64():
        shown = shown.with_columns(value_text())
    texts = [name for name, dtype in shown.schema.items() if dtype == pl.String() and name != "value"]
    shown = shown.with_columns(_guarded(name) for name in texts)
    yield shown.head(0).write_csv()
    for piece in pieces(shown):
        yield piece.write_csv(include_header=False)


def parquet(table: pl.DataFrame) -> bytes:
    """Return the table as a Parquet file, compressed with zstd; `time` is a timestamp in nanoseconds."""
    time = pl.from_epoch("_time_ns", "ns").dt.replace_time_zone("UTC")
    stamped = table.with_columns(time).rename({"_time_ns": "time"})
    buffer = io.BytesIO()
    stamped.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _lines(frame: pl.DataFrame) -> pl.DataFrame:
    columns = {"_time_ns": pl.col("_time_ns")}
    for labels in (stream_labels(frame), fields(frame)):
        for name, column in labels.items():
            columns[_free(name, columns)] = column
    return frame.select(**columns, line=pl.col("_line"))


def _samples(series: Series) -> pl.DataFrame:
    names = sorted({name for labels in series.labels for name in labels})
    columns = {"_time_ns": pl.col("_time_ns")}
    for name in names:
        texts = [labels.get(name) for labels in series.labels]
        column = pl.Series("label", texts, dtype=pl.String)
        columns[_free(name, columns)] = pl.lit(column).gather(pl.col("series"))
    return series.frame.select(**columns, value=pl.col("value"))


def _free(name: str, taken: Collection[str]) -> str:
    return f"{name}_extracted" if name in {*taken, "time", "line", "value"} else name


def _guarded(name: str) -> pl.Expr:
    column = pl.col(name)
    risky = column.str.contains(_FORMULA) & ~column.str.contains(_PLAIN_NUMBER)
    return pl.when(risky).then(pl.lit("'") + column).otherwise(column).alias(name)
