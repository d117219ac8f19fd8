"""`approx_topk`: the k largest series; here exact, since they are counted where the data lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class ApproxTopk:
    """The k largest, with their labels."""

    name: ClassVar[str] = "approx_topk"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = "how many series, a positive integer"
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:
        """Keep the largest."""
        return samples.ranked(grouping, int(parameter or 0), largest=True)
