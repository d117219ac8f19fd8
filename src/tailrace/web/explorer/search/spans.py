"""The time range of a search: as asked, or one that shows a newcomer the newest lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.web.explorer.search import found
from tailrace.web.explorer.search.pages import ask
from tailrace.web.explorer.texts import search as texts
from tailrace.web.explorer.times import clock_text, day_text
from tailrace.web.times import iso, moment_ns

if TYPE_CHECKING:
    from tailrace.web.explorer.search.state import State
    from tailrace.web.services import Services

DEFAULT_FROM: Final = "now-1h"
DEFAULT_TO: Final = "now"
_HOUR_NS: Final = 3_600 * NS_PER_S
_MARGIN_NS: Final = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Span:
    """A range in time, with the texts that stand for it and why it was chosen."""

    start_ns: int
    end_ns: int
    start: str
    end: str
    notice: str = ""
    rows_exist: bool = True

    def label(self) -> str:
        """Return the range in words."""
        names = dict(texts.RANGES)
        if self.end == DEFAULT_TO and self.start in names:
            return f"last {names[self.start].removeprefix('1 ')}"
        return f"{day_text(self.start_ns)} {clock_text(self.start_ns)[:8]} to {self._end_text()} UTC"

    def _end_text(self) -> str:
        same_day = day_text(self.start_ns) == day_text(self.end_ns)
        return ("" if same_day else day_text(self.end_ns) + " ") + clock_text(self.end_ns)[:8]


def choose(services: Services, state: State, now_ns: int) -> Span:
    """Return the range that the state names; without one, the last hour, widened to where the newest lines are."""
    start, end = state.start or DEFAULT_FROM, state.end or DEFAULT_TO
    start_ns, end_ns = moment_ns(start, now_ns, "from"), moment_ns(end, now_ns, "to")
    span = Span(max(start_ns, found.FIRST_NS), min(end_ns, found.LAST_NS), start, end)
    if span.end_ns <= span.start_ns:
        raise QueryError("the range ends before it starts", hint="swap from and to")
    newest_ns = found.newest_ns(services)
    if newest_ns is None:
        return Span(span.start_ns, span.end_ns, start, end, texts.EMPTY_TABLE, rows_exist=False)
    if state.start or state.end:
        return span
    if newest_ns >= now_ns:  # lines of the future: the newest of the past is what a newcomer looks for
        past = ask(services, texts.EVERYTHING, found.FIRST_NS, now_ns, 1).frame["_time_ns"]
        newest_ns = int(past[0]) if past.len() else newest_ns
    return span if span.start_ns <= newest_ns < span.end_ns else _around(newest_ns, now_ns)


def _around(newest_ns: int, now_ns: int) -> Span:
    for text, name in texts.RANGES:
        start_ns = moment_ns(text, now_ns, "from")
        if now_ns - start_ns > _HOUR_NS and start_ns <= newest_ns < now_ns:
            return Span(start_ns, now_ns, text, DEFAULT_TO, texts.WIDENED.format(range=texts.LAST.format(name=name)))
    end_ns = (newest_ns // _MARGIN_NS + 1) * _MARGIN_NS
    start_ns = end_ns - _HOUR_NS
    return Span(start_ns, end_ns, iso(start_ns), iso(end_ns), texts.WIDENED.format(range=texts.ANOTHER_HOUR))
