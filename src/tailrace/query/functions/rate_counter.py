"""`rate_counter`: how fast a counter rises that may begin anew."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from tailrace.query.functions.contract import FROM, TIME, VALUE, over

_GAP = 1.1  # a gap to the window's edge this many times the usual one is not taken for the counter's


class RateCounter:
    """Increase over the range, resets added, stretched to the edges of the window, divided by its seconds."""

    name: ClassVar[str] = "rate_counter"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    totals: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = True

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its values; 0 of fewer than two."""
        before = VALUE.shift(1)
        increase = VALUE.last() - VALUE.first() + before.filter(before > VALUE).sum()
        return extrapolated(VALUE.len(), increase, (TIME.first(), VALUE.first()), TIME.last(), range_ns)


def extrapolated(
    count: pl.Expr, increase: pl.Expr, first: tuple[pl.Expr, pl.Expr], last_ns: pl.Expr, range_ns: int
) -> pl.Expr:
    """Return the rate of so many values, the first of which has a time and a size, over a window from `FROM` on."""
    first_ns, begin = first
    sampled = over(last_ns - first_ns, 1e9)
    usual = sampled / (count - 1)
    left = over(first_ns - FROM.first(), 1e9)
    right = over(FROM.first() + range_ns - last_ns, 1e9)
    left = pl.when(left >= _GAP * usual).then(usual / 2).otherwise(left)
    right = pl.when(right >= _GAP * usual).then(usual / 2).otherwise(right)
    # A counter was not below zero: the line through its values shows where it began.
    began = sampled * begin / increase
    left = pl.when((increase > 0) & (begin >= 0)).then(pl.min_horizontal(left, began)).otherwise(left)
    rate = over(increase * (sampled + left + right) / sampled, range_ns / 1e9)
    return pl.when(count > 1).then(rate).otherwise(0.0)
