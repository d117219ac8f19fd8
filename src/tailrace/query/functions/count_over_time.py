"""`count_over_time`: how many lines each series had in the range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Measure


class CountOverTime:
    """Lines in the range."""

    name: ClassVar[str] = "count_over_time"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    measure: ClassVar[Measure] = "lines"

    @staticmethod
    def value(total: pl.Expr, range_s: float) -> pl.Expr:  # noqa: ARG004 - the contract of range functions
        """Return the number of lines."""
        return total.cast(pl.Float64)
