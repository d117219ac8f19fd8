"""`avg`: the mean of each group of series."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Avg:
    """Arithmetic mean; finite numbers have a finite one, however large their sum."""

    name: ClassVar[str] = "avg"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:  # noqa: ARG004
        """Average each group."""
        value = pl.col("value")
        mean = value.mean()
        return samples.grouped(grouping, pl.when(mean.is_finite()).then(mean).otherwise((value / pl.len()).sum()))
