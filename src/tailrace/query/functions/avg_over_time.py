"""`avg_over_time`: the mean of the values in a range."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from tailrace.query.functions.contract import EASE


class AvgOverTime:
    """Arithmetic mean; finite numbers have a finite one, however large their sum."""

    name: ClassVar[str] = "avg_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    totals: ClassVar[tuple[str, ...]] = ("_sum", "_eased")
    ordered: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its totals."""
        count = pl.col("_count").sum()
        mean, eased = pl.col("_sum").sum() / count, pl.col("_eased").sum() / count * EASE
        return pl.when(mean.is_finite()).then(mean).otherwise(eased)
