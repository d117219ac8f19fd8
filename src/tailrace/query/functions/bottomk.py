"""`bottomk`: the k smallest series of each group, at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.samples import Samples
    from tailrace.query.syntax import Grouping


class Bottomk:
    """The k smallest, with their full labels."""

    name: ClassVar[str] = "bottomk"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = "how many series, a positive integer"
    narrows: ClassVar[bool] = False

    @staticmethod
    def apply(samples: Samples, grouping: Grouping | None, parameter: float | None) -> Samples:
        """Keep the smallest."""
        return samples.ranked(grouping, int(parameter or 0), largest=False)
