"""Field values as text, and text as numbers: how typed columns meet a language in which every label is text.

Both ways are Polars expressions over a column. Integers are written plainly, floats as the shortest
decimal that reads back the same and without an exponent, booleans as `true` and `false`. Text is read as Go
reads it: what does not convert becomes null, and the caller decides what that means.

Only shapes that no expression covers (compound durations, exponents) are done by Python, once per distinct value.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final  # Any: values of whatever type the column has

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

_UNIT_S: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_DURATION_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION: Final = re.compile(rf"([+-]?)((?:{_DURATION_PART.pattern})+|0)")
_DURATION_NS: Final = {unit: round(seconds * 1e9) for unit, seconds in _UNIT_S.items()}
_BYTES: Final = re.compile(r"([0-9.,]+)\s*([a-z]*)", re.IGNORECASE)
_BYTE_UNITS: Final = {
    **{prefix + end: 1000**n for n, prefix in enumerate(("", "k", "m", "g", "t", "p", "e")) for end in ("", "b")},
    **{prefix + end: 1024**n for n, prefix in enumerate(("ki", "mi", "gi", "ti", "pi", "ei"), 1) for end in ("", "b")},
}


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
    """Read text as a Go float; null where it is none."""
    return column.cast(pl.Float64, strict=False)


def seconds(column: pl.Expr) -> pl.Expr:
    """Read text as a Go duration, in seconds; null where it is none. A unit is required, `d` is none."""
    return duration_ns(column) / 1e9


def duration_ns(column: pl.Expr) -> pl.Expr:
    """Read text as a Go duration, in whole nanoseconds as a float; null where it is none."""
    return per_distinct(column, read_duration_ns, pl.Float64())


def byte_count(column: pl.Expr) -> pl.Expr:
    """Read text as a number of bytes, cut to a whole one; null where it is none."""
    return per_distinct(column, read_bytes, pl.Float64())


def read_duration_ns(value: str) -> float | None:
    """Read one Go duration.

    >>> read_duration_ns("1m0.5s"), read_duration_ns("-2ms"), read_duration_ns("1d")
    (60500000000.0, -2000000.0, None)
    """
    whole = _DURATION.fullmatch(value)
    if whole is None:
        return None
    total = sum(
        int(Decimal(amount) * _DURATION_NS[unit]) for amount, unit in _DURATION_PART.findall(whole.group(2) or "")
    )
    return float(-total if whole.group(1) == "-" else total)


def read_bytes(value: str) -> float | None:
    """Read one byte count.

    >>> read_bytes("1.5KiB"), read_bytes("2,000"), read_bytes("1.5B"), read_bytes("3 parsecs")
    (1536.0, 2000.0, 1.0, None)
    """
    whole = _BYTES.fullmatch(value.strip())
    unit = _BYTE_UNITS.get(whole.group(2).lower()) if whole else None
    if whole is None or unit is None:
        return None
    try:
        return float(int(Decimal(whole.group(1).replace(",", "")) * unit))
    except ArithmeticError:
        return None


def per_distinct(column: pl.Expr, read: Callable[[Any], str | float | None], dtype: pl.DataType) -> pl.Expr:
    """Map a column by a Python function, called once per distinct value that is not null."""

    def mapped(series: pl.Series) -> pl.Series:
        distinct = series.drop_nulls().unique()
        if distinct.is_empty():
            return pl.Series(series.name, [None], dtype=dtype).new_from_index(0, len(series))
        values = pl.Series([read(value) for value in distinct], dtype=dtype)
        return series.replace_strict(distinct, values, default=None, return_dtype=dtype)

    return column.map_batches(mapped, return_dtype=dtype, is_elementwise=True)
