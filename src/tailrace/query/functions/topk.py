"""`topk`: the k largest series of each group, at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Topk:
    """The k largest, with their full labels."""

    name: ClassVar[str] = "topk"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = "how many series, a positive integer"
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:
        """Keep the largest."""
        return samples.ranked(grouping, int(parameter or 0), largest=True)
