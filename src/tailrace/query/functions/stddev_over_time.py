"""`stddev_over_time`: the standard deviation of the values in a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tailrace.query.functions.contract import VALUE

if TYPE_CHECKING:
    import polars as pl


class StddevOverTime:
    """Standard deviation of the population: divided by the number of values."""

    name: ClassVar[str] = "stddev_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    totals: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its values."""
        return VALUE.std(ddof=0)
