"""`stdvar`: the variance of each group of series."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Stdvar:
    """Variance of the population: divided by the number of series."""

    name: ClassVar[str] = "stdvar"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:  # noqa: ARG004
        """Take the variance of each group."""
        return samples.grouped(grouping, pl.col("value").var(ddof=0))
