"""`bytes_over_time`: how many bytes the lines of each series had in the range, after the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Measure


class BytesOverTime:
    """Bytes of the lines in the range."""

    name: ClassVar[str] = "bytes_over_time"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    measure: ClassVar[Measure] = "bytes"

    @staticmethod
    def value(total: pl.Expr, range_s: float) -> pl.Expr:  # noqa: ARG004 - the contract of range functions
        """Return the number of bytes."""
        return total.cast(pl.Float64)
