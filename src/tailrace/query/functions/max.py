"""`max`: the largest sample of each group of series."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Max:
    """Largest sample; skips NaN."""

    name: ClassVar[str] = "max"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:  # noqa: ARG004
        """Take the largest of each group; NaN only if there is nothing else."""
        return samples.grouped(grouping, pl.col("value").max())
