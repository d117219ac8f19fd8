"""Late lines by the selectors that mean them: each selector is asked once for all of their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.query.streams import select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.evaluate.contracts import Late
    from tailrace.query.syntax import Selector


class Meant:
    """Late lines that are asked for by many rules."""

    def __init__(self, late: Sequence[Late]) -> None:
        self._late = late
        self._texts = sorted({stream for lines in late for stream in lines.streams})
        self._by_selector: dict[Selector, frozenset[str]] = {}
        self._by: dict[tuple[Selector, ...], list[Late]] = {}

    def by(self, selectors: tuple[Selector, ...]) -> list[Late]:
        """Return the lines of streams that one of some selectors means."""
        if selectors not in self._by:
            streams = frozenset[str]().union(*(self._streams(selector) for selector in selectors))
            self._by[selectors] = [
                lines for lines in self._late if not lines.streams or not streams.isdisjoint(lines.streams)
            ]
        return self._by[selectors]

    def _streams(self, selector: Selector) -> frozenset[str]:
        if selector not in self._by_selector:
            self._by_selector[selector] = frozenset(select(self._texts, selector)["_stream"].to_list())
        return self._by_selector[selector]
