"""`sum_over_time`: the sum of the values in a range."""

from __future__ import annotations

from typing import ClassVar

import polars as pl


class SumOverTime:
    """Plain addition."""

    name: ClassVar[str] = "sum_over_time"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = True
    totals: ClassVar[tuple[str, ...]] = ("_sum",)
    ordered: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its totals."""
        return pl.col("_sum").sum()
