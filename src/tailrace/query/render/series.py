"""Numbers as a table for a terminal, as JSON lines, and raw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from tailrace.query import values
from tailrace.query.lexer import quote
from tailrace.query.render.columns import joined, pieces, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tailrace.query.result import Series


def value_text() -> pl.Expr:
    """Return the values as Loki writes them: shortest decimal without exponent, `NaN`, `+Inf`, `-Inf`."""
    return values.text(pl.col("value"), pl.Float64())


def label_text(labels: Mapping[str, str]) -> str:
    """Write a label set as LogQL.

    >>> label_text({"level": "warn", "host": "a"})
    '{host="a", level="warn"}'
    """
    return "{" + ", ".join(f"{name}={quote(labels[name])}" for name in sorted(labels)) + "}"


def jsonl(series: Series) -> Iterator[str]:
    """Yield `{"time", "labels", "value"}` per sample; the value is a string, as it may be no JSON number."""
    sets = [
        json.dumps(dict(sorted(labels.items())), ensure_ascii=False, separators=(",", ":")) for labels in series.labels
    ]
    for piece in pieces(_with_labels(series, sets)):
        row = pl.concat_str(
            pl.lit('{"time":"'),
            time_text(),
            pl.lit('","labels":'),
            pl.col("labels"),
            pl.lit(',"value":"'),
            value_text(),
            pl.lit('"}'),
        )
        yield joined(piece, row)


def text(series: Series) -> Iterator[str]:
    """Yield a table: one row per series for an instant, else per series and time; values to the right."""
    frame = _with_labels(series, [label_text(labels) for labels in series.labels])
    for piece in pieces(frame):
        rows = piece.select(time_text(digits=3).alias("time"), "labels", value_text().alias("value"))
        width = max(map(len, rows["value"]), default=0)
        value = pl.col("value").str.pad_start(width)
        yield joined(rows, pl.concat_str("time", value, "labels", separator="  "))


def raw(series: Series) -> Iterator[str]:
    """Yield the values alone."""
    for piece in pieces(series.frame):
        yield joined(piece, value_text())


def _with_labels(series: Series, texts: list[str]) -> pl.DataFrame:
    """Return the samples with a column `labels` taken from a text per series."""
    table = pl.DataFrame({"labels": texts or [""]}, schema={"labels": pl.String}).with_row_index("series")
    return series.frame.join(table.with_columns(pl.col("series").cast(pl.UInt32)), on="series", maintain_order="left")
