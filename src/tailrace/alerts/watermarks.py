"""Up to when the lines of some streams are complete. Pure: it is told how far behind each source is.

A source that follows files is complete up to the time of the oldest line that it read and that is not durable; before
it came to the end of what waited for it at its start, nothing is known. What is pushed has no such mark: see `pushed`.
A source that is further behind than a rule waits does not hold the others up for ever: it is named as late.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluator import Complete
from tailrace.clock import NS_PER_S
from tailrace.query.matching import accepts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.query.syntax import Selector

SETTLE_S: Final = 1.0
"""A line may stand in a file for this long before the agent has seen it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far behind a source is: infinitely, while nothing is known of it. Its streams have all of `labels`."""

    name: str
    seconds: float
    labels: Mapping[str, str] = field(default_factory=dict)


class Watermarks:
    """Tells up to when lines are complete."""

    def __init__(self, behind: Callable[[], Sequence[Behind]]) -> None:
        self._behind = behind

    def __call__(self, selectors: Sequence[Selector], now_ns: int) -> Complete:
        """Return the time up to which the lines that selectors may match are complete."""
        sources = [one for one in self._behind() if not selectors or any(_may_match(one, each) for each in selectors)]
        seconds = max((one.seconds for one in sources), default=0.0)
        late = tuple(sorted(one.name for one in sources if one.seconds > SETTLE_S))
        if math.isinf(seconds):
            return Complete(0, late)
        return Complete(now_ns - round((seconds + SETTLE_S) * NS_PER_S), late)


def _may_match(source: Behind, selector: Selector) -> bool:
    """Tell whether streams of a source can match: labels that it is not known to have may be anything."""
    return all(
        accepts(matcher, source.labels[matcher.name]) for matcher in selector.matchers if matcher.name in source.labels
    )
