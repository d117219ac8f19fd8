"""`quantile_over_time`: a quantile of the values in a range."""

from __future__ import annotations

import math
from typing import ClassVar

import polars as pl

from tailrace.query.functions.contract import VALUE


class QuantileOverTime:
    """Linear between neighbours; NaN counts as the smallest value, and a quantile over 1 is +Inf."""

    name: ClassVar[str] = "quantile_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = "which quantile, as in quantile_over_time(0.99, …)"
    additive: ClassVar[bool] = False
    totals: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its values."""
        q = parameter or 0.0
        if q > 1:
            return pl.lit(math.inf)
        numbers = VALUE.filter(VALUE.is_not_nan()).sort()
        nans = VALUE.is_nan().sum().cast(pl.Float64)
        rank = q * (VALUE.len() - 1) - nans
        low, high = rank.floor(), rank.ceil()
        weight = rank - low
        below = numbers.get(low.clip(lower_bound=0).cast(pl.Int64), null_on_oob=True)
        above = numbers.get(high.clip(lower_bound=0).cast(pl.Int64), null_on_oob=True)
        between = pl.when(weight == 0).then(below).otherwise(below * (1 - weight) + above * weight)
        return pl.when(low < 0).then(math.nan).otherwise(between)

    @staticmethod
    def finite(parameter: float | None) -> pl.Expr:
        """Return the same of values that are all finite, ten times as fast."""
        q = parameter or 0.0
        return pl.lit(math.inf) if q > 1 else VALUE.quantile(q, interpolation="linear")
