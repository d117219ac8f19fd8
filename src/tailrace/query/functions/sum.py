"""`sum`: the sum of each group of series."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Sum:
    """Sum; NaN if a sample is NaN."""

    name: ClassVar[str] = "sum"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    narrows: ClassVar[bool] = True

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:  # noqa: ARG004
        """Sum each group."""
        return samples.grouped(grouping, pl.col("value").sum())
