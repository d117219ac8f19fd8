"""`count`: how many series each group has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import polars as pl

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Count:
    """Number of series."""

    name: ClassVar[str] = "count"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:  # noqa: ARG004
        """Count the series of each group."""
        return samples.grouped(grouping, pl.len())
