"""`avg_over_time`: the mean of the values in a range."""

from __future__ import annotations

from typing import ClassVar

import polars as pl


class AvgOverTime:
    """Arithmetic mean."""

    name: ClassVar[str] = "avg_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    partial: ClassVar[bool] = True

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its totals."""
        return pl.col("_sum").sum() / pl.col("_count").sum()
