"""`first_over_time`: the first value in a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tailrace.query.functions.contract import VALUE

if TYPE_CHECKING:
    import polars as pl


class FirstOverTime:
    """The value of the earliest line."""

    name: ClassVar[str] = "first_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    totals: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = True

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its values."""
        return VALUE.first()
