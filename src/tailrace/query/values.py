"""Field values as text, and text as numbers: how typed columns meet a language in which every label is text.

Both ways are Polars expressions over a column. Integers are written plainly, floats as the shortest
decimal that reads back the same and without an exponent, booleans as `true` and `false`. Text is read as Go
reads it: what does not convert becomes null, and the caller decides what that means.

Only shapes that no expression covers (compound durations, exponents) are done by Python, once per distinct value.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any  # Any: values of whatever type the column has

import polars as pl

from tailrace.query import literals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return a field's value as text; null stays null."""
    if dtype == pl.String():
        return column
    if dtype.is_float():
        plain = column.cast(pl.String).str.strip_suffix(".0")
        odd = plain.str.contains("[eNi]")
        return pl.when(odd).then(per_distinct(pl.when(odd).then(column), float_text, pl.String())).otherwise(plain)
    return column.cast(pl.String)


def float_text(value: float) -> str:
    """Return a number as Go prints it: shortest, without an exponent.

    >>> float_text(1e21), float_text(0.1), float_text(2.0), float_text(float("inf"))
    ('1000000000000000000000', '0.1', '2', '+Inf')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    plain = format(Decimal(repr(value)), "f")
    return plain.removesuffix(".0") if "." in plain else plain


def number(column: pl.Expr) -> pl.Expr:
    """Read text as a Go float; null where it is none. What Polars may read otherwise is read by Python."""
    value = column.cast(pl.Float64, strict=False)
    odd = ~value.is_finite() | (value.is_null() & column.str.contains("[xX]"))
    return (
        pl.when(odd).then(per_distinct(pl.when(odd).then(column), literals.float_value, pl.Float64())).otherwise(value)
    )


def seconds(column: pl.Expr) -> pl.Expr:
    """Read text as a Go duration, in seconds; null where it is none. A unit is required, `d` is none."""
    return quotient(duration_ns(column), pl.lit(1e9))


def quotient(left: pl.Expr, right: pl.Expr) -> pl.Expr:
    """Divide numbers, rounded once.

    Polars multiplies by the reciprocal when the divisor is a scalar: `49 / 49.0` gives 0.9999999999999999
    and `6e10 / 1e9` 60.00000000000001, which a person sees. Columns it divides as they are.
    """
    return pl.map_batches([left, right], _quotient, return_dtype=pl.Float64, is_elementwise=True)


def _quotient(sides: Sequence[pl.Series]) -> pl.Series:
    rows = 0 if any(side.is_empty() for side in sides) else max(map(len, sides))
    left, right = (side.cast(pl.Float64) if len(side) == rows else _spread(side, rows) for side in sides)
    return left / right


def _spread(side: pl.Series, rows: int) -> pl.Series:
    return side.cast(pl.Float64).new_from_index(0, rows) if rows else pl.Series(dtype=pl.Float64)


def duration_ns(column: pl.Expr) -> pl.Expr:
    """Read text as a Go duration, in whole nanoseconds as a float; null where it is none."""
    return per_distinct(column, literals.duration_value, pl.Float64())


def byte_count(column: pl.Expr) -> pl.Expr:
    """Read text as a number of bytes, cut to a whole one; null where it is none."""
    return per_distinct(column, literals.bytes_value, pl.Float64())


def per_distinct(column: pl.Expr, read: Callable[[Any], str | float | None], dtype: pl.DataType) -> pl.Expr:
    """Map a column by a Python function, called once per distinct value that is not null."""

    def mapped(series: pl.Series) -> pl.Series:
        distinct = series.drop_nulls().unique()
        if distinct.is_empty():
            return pl.Series(series.name, [None], dtype=dtype).new_from_index(0, len(series))
        values = pl.Series([read(value) for value in distinct], dtype=dtype)
        return series.replace_strict(distinct, values, default=None, return_dtype=dtype)

    return column.map_batches(mapped, return_dtype=dtype, is_elementwise=True)
