r"""logfmt: `key=value key="quoted value"`, as Go programs write it.

Comes in and goes out as `contracts.Parser` says. A key without a value and a bad pair (a quote inside a bare value, `=` without
key) are passed over, as LogQL's `logfmt` does; `_line` stays whole, so nothing is lost. The first of
two equal keys wins. Values are text, `int`, `float` or `bool` columns only when every value seen is one.
A line without any pair keeps `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import field_column, sanitize_name
from tailrace.limits import FIELD_COLUMNS, FIELD_NAME_BYTES
from tailrace.parse import level, timestamp

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "LogfmtParserErr"

PAIR: Final = r'(?:^|[\x00-\x20])([^\x00-\x20="]+=(?:"(?:[^"\\]|\\.)*"|[^\x00-\x20="]*))'
LOOKS: Final = r'^(?:[A-Za-z_][\w.\-/]*=(?:"(?:[^"\\]|\\.)*"|[^\s="]*)(?:\s+|$)){2,}'
"""What a line of logfmt looks like: it begins with at least two pairs."""

_TIMES: Final = ("time", "ts", "timestamp", "t", "at", "datetime", "date")
_LEVELS: Final = ("level", "lvl", "severity", "loglevel", "levelname")


class Logfmt:
    """Reads key=value pairs; a column's type is decided when it is first seen and kept."""

    name = "logfmt"

    def parse(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with their pairs as fields."""
        fields = _fields(lines["_line"])
        frame = lines.with_columns(*timestamp.no_time(lines))
        for name in _TIMES:
            if name in fields.columns and "_time_ns" not in lines.columns:
                value = fields[name]
                times = timestamp.iso(value, reading.timezone)
                digits = timestamp.epoch_text(value)
                times = times.zip_with(times.is_not_null(), digits)
                frame = frame.with_columns(pl.coalesce("_time_ns", pl.lit(times)).alias("_time_ns"))
        levels = [level.from_value(fields[name]) for name in _LEVELS if name in fields.columns]
        found = pl.lit(fields["_any"].fill_null(value=False))
        kept = [_typed(fields[name]) for name in fields.columns if name != "_any"]
        return frame.with_columns(
            pl.coalesce([pl.lit(series) for series in levels] or pl.lit(None, pl.String)).alias("_level"),
            pl.when(found).then(pl.lit("logfmt")).alias("_format"),
            pl.when(~found & pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR)).alias("_error"),
            *kept,
        )


def _fields(text: pl.Series) -> pl.DataFrame:
    """Return one text column per key, and `_any` that tells whether a line has a pair."""
    pairs = text.str.extract_all(PAIR)
    long = pl.DataFrame({"row": pl.int_range(len(text), dtype=pl.UInt32, eager=True), "pair": pairs}).explode("pair")
    long = long.drop_nulls("pair").with_columns(pl.col("pair").str.strip_chars_start("".join(map(chr, range(33)))))
    long = long.with_columns(pl.col("pair").str.splitn("=", 2).struct.rename_fields(["key", "value"])).unnest("pair")
    names = {key: column for key in long["key"].unique(maintain_order=True) if (column := _column(key)) is not None}
    names = dict(list(names.items())[:FIELD_COLUMNS])
    rows = pl.int_range(len(text), dtype=pl.UInt32, eager=True).to_frame("row")
    result = rows.with_columns(rows["row"].is_in(long["row"].unique().implode()).alias("_any"))
    long = long.with_columns(pl.col("key").replace_strict(names, default=None, return_dtype=pl.String)).drop_nulls(
        "key"
    )
    for column in dict.fromkeys(names.values()):
        values = long.filter(pl.col("key") == column).unique("row", keep="first", maintain_order=True)
        result = result.join(
            values.select("row", _unquote(pl.col("value")).alias(column)), on="row", how="left", maintain_order="left"
        )
    return result.drop("row")


def _column(key: str) -> str | None:
    name = sanitize_name(key)
    return field_column(name) if name.strip("_") and len(name) <= FIELD_NAME_BYTES else None


def _unquote(value: pl.Expr) -> pl.Expr:
    """Return the value without its quotes and escapes."""
    quoted = value.str.starts_with('"')
    inner = value.str.slice(1, value.str.len_chars() - 2)
    plain = inner.str.replace_many(["\\\\", '\\"', "\\n", "\\t", "\\r", "\\/"], ["\\", '"', "\n", "\t", "\r", "/"])
    return pl.when(quoted).then(plain).otherwise(value)


def _typed(series: pl.Series) -> pl.Series:
    return series
