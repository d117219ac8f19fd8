"""Which files can be skipped: only those whose statistics prove that no row of theirs is wanted.

The frame of files has the statistics as columns `min.<column>`, `max.<column>` and
`null_count.<column>`. A file without statistics is kept; one that has them, but none of a column that
every writer indexes, was written before the table had that column. A bound on a field holds if it may hold
in any of the field's columns, or in `_more`, where fields without a column are. Pure: expressions only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import is_field

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tailrace.contracts import Bound


def may_hold(
    frame: pl.DataFrame, bounds: Sequence[tuple[Bound, Mapping[str, pl.DataType]]], indexed: Collection[str]
) -> pl.Expr:
    """Return whether a file may hold a row that fulfils all bounds; each comes with the columns it is about.

    `indexed` are the columns that statistics cover.
    """
    wanted = pl.lit(value=True)
    for bound, columns in bounds:
        if columns:
            places = [_column_may(frame, bound, name, dtype, name in indexed) for name, dtype in columns.items()]
            if any(map(is_field, columns)):
                places.append(_has_value(frame, "_more", indexed="_more" in indexed))
            wanted &= pl.any_horizontal(places)
    return wanted


def _has_value(frame: pl.DataFrame, name: str, *, indexed: bool) -> pl.Expr:
    """Return whether a column may have a value at all in a file."""
    unknown = pl.lit(value=True)
    if indexed and "null_count._time_ns" in frame.columns:
        unknown = pl.col("null_count._time_ns").is_null()
    if f"null_count.{name}" not in frame.columns:
        return unknown
    return pl.coalesce(pl.col(f"null_count.{name}") < pl.col("rows"), unknown)


def _column_may(frame: pl.DataFrame, bound: Bound, name: str, dtype: pl.DataType, indexed: bool) -> pl.Expr:
    has_value = _has_value(frame, name, indexed=indexed)
    value = _comparable(bound, dtype)
    if value is None or f"min.{name}" not in frame.columns or f"max.{name}" not in frame.columns:
        return has_value
    low, high = pl.col(f"min.{name}"), pl.col(f"max.{name}")
    holds = {
        "==": (low <= value).fill_null(value=True) & (high >= value).fill_null(value=True),
        "<": (low < value).fill_null(value=True),
        "<=": (low <= value).fill_null(value=True),
        ">": (high > value).fill_null(value=True),
        ">=": (high >= value).fill_null(value=True),
    }
    return has_value & holds[bound.op]


def _comparable(bound: Bound, dtype: pl.DataType) -> str | int | float | None:
    """Return the bound's value as the column orders its values, or None if the orders differ.

    A text equals an integer exactly when it is how the integer is written; they have no other order in common.
    """
    value = bound.value
    if isinstance(value, str):
        if dtype == pl.String():
            return value
        if (
            dtype == pl.Int64()
            and bound.op == "=="
            and value.removeprefix("-").isdecimal()
            and str(int(value)) == value
        ):
            return int(value)
        return None
    return value if dtype.is_numeric() else None
