"""`bytes_rate`: bytes of lines per second of the range, after the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

from tailrace.query import values

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Measure


class BytesRate:
    """Bytes of the lines in the range, divided by its seconds."""

    name: ClassVar[str] = "bytes_rate"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    measure: ClassVar[Measure] = "bytes"

    @staticmethod
    def value(total: pl.Expr, range_s: float) -> pl.Expr:
        """Return bytes per second."""
        return values.quotient(total, pl.lit(range_s))
