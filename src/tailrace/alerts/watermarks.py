"""Up to when the lines of some streams are complete. Pure: it is told how far behind each source is.

A source that follows files is complete up to the time of the oldest line that it read and that is not durable. What is
pushed has no such mark: it counts as complete up to `disorder` ago, while anything was pushed lately. A source that
is further behind than `missing` does not hold the others up for ever: it is named as late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluator import Complete
from tailrace.clock import NS_PER_S
from tailrace.query.matching import accepts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.query.syntax import Selector

DISORDER_S: Final = 30.0
"""Lines that are pushed may be this late without being missed."""

SETTLE_S: Final = 1.0
"""A line may stand in a file for this long before the agent has seen it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far behind a source is; `name` is the value of its streams' label `source`."""

    name: str
    seconds: float


class Watermarks:
    """Tells up to when lines are complete."""

    def __init__(self, behind: Callable[[], Sequence[Behind]]) -> None:
        self._behind = behind

    def __call__(self, selectors: Sequence[Selector], now_ns: int) -> Complete:
        """Return the time up to which the lines that selectors may match are complete."""
        sources = [one for one in self._behind() if not selectors or any(_may_match(one, each) for each in selectors)]
        seconds = max((one.seconds for one in sources), default=0.0) + SETTLE_S
        late = tuple(sorted(one.name for one in sources if one.seconds > SETTLE_S))
        return Complete(now_ns - round(seconds * NS_PER_S), late)


def _may_match(source: Behind, selector: Selector) -> bool:
    return all(accepts(matcher, source.name) for matcher in selector.matchers if matcher.name == "source")
