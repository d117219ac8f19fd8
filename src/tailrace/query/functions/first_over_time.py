"""`first_over_time`: the first value in a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tailrace.query.functions.contract import TIME, VALUE

if TYPE_CHECKING:
    import polars as pl


class FirstOverTime:
    """The value of the earliest line."""

    name: ClassVar[str] = "first_over_time"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    additive: ClassVar[bool] = False
    partial: ClassVar[bool] = False

    @staticmethod
    def value(range_ns: int, parameter: float | None) -> pl.Expr:  # noqa: ARG004 - the contract of these functions
        """Return the sample of a window from its values."""
        return VALUE.sort_by(TIME).first()
