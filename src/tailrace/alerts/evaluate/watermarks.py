"""Up to when the lines of some streams are complete. Pure: it is told how far behind each source is.

A source that follows files is complete up to the time of the oldest line that it read and that is not durable; what is
pushed has no such mark, see `pushed`. A window waits for the source that is furthest behind, of those that the rule's
selectors can match. One that is further behind than rules wait is missing: it is named, and nobody waits for it; at
a start each has its time to catch up before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluate.contracts import Complete
from tailrace.alerts.evaluate.horizons import Horizons
from tailrace.clock import NS_PER_S
from tailrace.query.matching import accepts
from tailrace.query.streams import select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.query.syntax import Matcher, Selector

SETTLE_S: Final = 1.0
"""A line may stand in a file for this long before the agent has seen it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """How far behind a source is: infinitely, while nothing is known of it.

    All of its streams have `labels`; `streams` are all that it has, None if that is not known.
    """

    name: str
    seconds: float
    labels: Mapping[str, str] = field(default_factory=dict)
    streams: Sequence[str] | None = None

    def may_match(self, selector: Selector) -> bool:
        """Tell whether a selector can mean streams of this source; labels that are not known may be anything."""
        if self.streams is not None:
            return _any_matches(tuple(self.streams), selector)
        return all(
            _accepts(matcher, self.labels[matcher.name]) for matcher in selector.matchers if matcher.name in self.labels
        )


class Watermarks:
    """Tells up to when lines are complete, since a start."""

    def __init__(
        self, behind: Callable[[], Sequence[Behind]], *, horizons: Horizons | None = None, since_ns: int = 0
    ) -> None:
        self._behind = behind
        self._wait_ns = (horizons or Horizons()).max_wait_ns
        self._since_ns = since_ns
        self._sources: tuple[int, Sequence[Behind]] = (-1, ())

    def sources(self, now_ns: int) -> Sequence[Behind]:
        """Return how far behind each source is; looked at once for one time."""
        if self._sources[0] != now_ns:
            self._sources = now_ns, self._behind()
        return self._sources[1]

    def missing(self, source: Behind, now_ns: int) -> bool:
        """Tell whether a source is so far behind that nobody waits for it."""
        return source.seconds * NS_PER_S > self._wait_ns and now_ns >= self._since_ns + self._wait_ns

    def __call__(self, selectors: Sequence[Selector], now_ns: int) -> Complete:
        """Return the time up to which the lines that selectors may match are complete."""
        sources = [
            one
            for one in self.sources(now_ns)
            if not selectors or any(one.may_match(selector) for selector in selectors)
        ]
        waited_for = [one for one in sources if not self.missing(one, now_ns)]
        late = tuple(sorted(one.name for one in sources if one.seconds > SETTLE_S))
        return Complete(_complete(sources, now_ns), late, _complete(waited_for, now_ns), self._since_ns)


def _complete(sources: Sequence[Behind], now_ns: int) -> int:
    """Return the time up to which all of some sources are complete; 0 while that is not known."""
    seconds = max((one.seconds for one in sources), default=0.0)
    return 0 if math.isinf(seconds) else now_ns - round((seconds + SETTLE_S) * NS_PER_S)


@lru_cache(maxsize=16_384)
def _accepts(matcher: Matcher, text: str) -> bool:
    return accepts(matcher, text)


@lru_cache(maxsize=16_384)
def _any_matches(streams: tuple[str, ...], selector: Selector) -> bool:
    return select(streams, selector).height > 0
