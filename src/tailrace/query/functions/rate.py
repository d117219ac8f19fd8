"""`rate`: lines, or the sum of values, per second of the range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

from tailrace.query import values
from tailrace.query.functions.contract import over

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Measure


class Rate:
    """Lines in the range, divided by its seconds."""

    name: ClassVar[str] = "rate"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    measure: ClassVar[Measure] = "lines"

    @staticmethod
    def value(total: pl.Expr, range_s: float) -> pl.Expr:
        """Return lines per second."""
        return values.quotient(total, pl.lit(range_s))


class ValueRate:
    """Sum of the values in the range, divided by its seconds."""

    name: ClassVar[str] = "rate"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = True
    totals: ClassVar[tuple[str, ...]] = ("_sum",)
    ordered: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its totals."""
        return over(pl.col("_sum").sum(), range_ns / 1e9)
