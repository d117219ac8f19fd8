"""`max_over_time`: the largest value in a range."""

from __future__ import annotations

from typing import ClassVar

import polars as pl


class MaxOverTime:
    """Largest value; NaN only if all are NaN."""

    name: ClassVar[str] = "max_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    totals: ClassVar[tuple[str, ...]] = ("_max",)
    ordered: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its totals."""
        return pl.col("_max").max()
