"""Rows of a batch as the CSV that COPY reads, made by columns.

CSV and not COPY's binary format: Polars writes it in a quarter of the time that the driver takes for binary rows; the
server takes half as long again to read it, which leaves less work in all (docs/adr/0018). Every text is quoted, so null
(nothing) and an empty text (`""`) differ, and no text can look like null or an end.

PostgreSQL has no character NUL. In its place stands U+2400, and where it stood in the line, `raw` has the line's exact
bytes. NaN and infinity, which JSON has no word for, are texts in `fields`.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.sinks.json_rows import encode, fields, of_streams

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Final[Mapping[str, str]] = {
    "time": "timestamptz NOT NULL",
    "time_ns": "bigint NOT NULL",  # the same, exact
    "observed_ns": "bigint",
    "host": "text NOT NULL",  # the label; Citus distributes by it
    "labels": "jsonb NOT NULL",
    "line": "text NOT NULL",
    "level": "text",
    "fields": "jsonb NOT NULL",
    "more": "text",  # JSON of fields beyond the limit of columns
    "format": "text",
    "error": "text",
    "file_offset": "bigint",
    "part": "integer",
    "part_last": "boolean",
    "raw": "bytea",
}
"""The columns of the table, as they are created."""

NUL: Final = "\N{SYMBOL FOR NULL}"
"""What stands for a NUL."""

_KEPT: Final = {
    "level": "_level",
    "more": "_more",
    "format": "_format",
    "error": "_error",
    "file_offset": "_offset",
    "part": "_part",
    "part_last": "_part_last",
}


def csv(frame: pl.DataFrame) -> bytes:
    """Return the rows of a frame in the order of `COLUMNS`, for `COPY … WITH (FORMAT csv)`."""
    data = _csv(frame)
    return data if b"\0" not in data and b"\\u0000" not in data else _csv(_without_nul(frame))


def _csv(frame: pl.DataFrame) -> bytes:
    labels = of_streams(frame, lambda own: json.dumps(dict(own), ensure_ascii=False))
    host = of_streams(frame, lambda own: own.get("host", ""))
    shown = {name: _json(frame, name, value) for name, value in fields(frame).items()}
    rows = frame.select(
        time=pl.from_epoch(pl.col("_time_ns") // 1_000, "us"),
        time_ns="_time_ns",
        observed_ns=_or_null(frame, "_observed_ns"),
        host=host,
        labels=labels,
        line=pl.col("_line").fill_null(""),
        fields=encode(shown),
        raw=pl.lit("\\x") + _or_null(frame, "_raw", pl.Binary).bin.encode("hex"),
        **{name: _or_null(frame, source) for name, source in _KEPT.items()},
    )
    data = io.BytesIO()
    rows.select(*COLUMNS).write_csv(
        data, include_header=False, quote_style="non_numeric", datetime_format="%Y-%m-%d %H:%M:%S%.6fZ"
    )
    return data.getvalue()


def _or_null(frame: pl.DataFrame, name: str, kind: type[pl.DataType] = pl.String) -> pl.Expr:
    return pl.col(name) if name in frame.columns else pl.lit(None, kind)


def _json(frame: pl.DataFrame, name: str, value: pl.Expr) -> pl.Expr:
    """Return a field as JSON has it: a column with NaN or infinity as texts."""
    found = frame.select(value.alias(name))[name]
    if found.dtype.is_float() and not found.drop_nulls().is_finite().all():
        return value.cast(pl.String)
    return value


def _without_nul(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows without NUL; lines that had one have their exact bytes in `_raw`."""
    line = pl.col("_line")
    exact = pl.when(line.str.contains("\0", literal=True)).then(line.cast(pl.Binary))
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(
        pl.coalesce(_or_null(frame, "_raw", pl.Binary), exact).alias("_raw"),
        *(pl.col(name).str.replace_all("\0", NUL, literal=True) for name in texts),
    )
