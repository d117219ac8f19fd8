"""`sort`: series by their values, the smallest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Sort:
    """Rising values, NaN last; a range query has its own order."""

    name: ClassVar[str] = "sort"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:  # noqa: ARG004
        """Put the series in order."""
        return samples.by_value(largest=False)
