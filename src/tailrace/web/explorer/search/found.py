"""What stands around the lines: counts by level, labels, the nearest ones; nothing here knows of HTML.

The parts are asked for side by side and fail apart: a part that cannot be had is an exception in its own place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query import labels
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request, run
from tailrace.web.explorer.search import histogram
from tailrace.web.explorer.search.pages import Direction, lines_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.syntax import LogQuery
    from tailrace.web.services import Services

NEAREST_TIMEOUT_S: Final = 3.0
FACET_VALUES: Final = 10
_FACETS_FIRST: Final = ("service_name", "host")
FIRST_NS: Final = -(2**61)
LAST_NS: Final = 2**62
"""The years 1896 and 2116: what the page looks at is kept between them, so that sums of times fit in 64 bits."""


@dataclass(frozen=True, slots=True)
class Facet:
    """A stream label with its most frequent values."""

    name: str
    values: list[tuple[str, int]]
    more: int  # values that are not listed


def bars(services: Services, log: LogQuery, start_ns: int, end_ns: int) -> list[histogram.Bar]:
    """Return the counts by level on the grid of the range."""
    grid = histogram.grid(start_ns, end_ns)
    asked = Request(histogram.query(log, grid.step_ns), grid.start_ns + grid.step_ns, grid.end_ns, grid.step_ns)
    return histogram.bars(_series(run(asked, services.table, services.engine, services.kept)), grid)


def facets(services: Services, log: LogQuery, start_ns: int, end_ns: int) -> list[Facet]:
    """Return the stream labels of the lines that fit, with counts; labels with several values first."""
    names = labels.label_names(services.table, start_ns, end_ns, str(log.selector))
    if not names:
        return []
    try:
        counted = _count(services, histogram.query(log, end_ns - start_ns, ", ".join(names)), end_ns)
        found = [_facet(name, counted) for name in names]
    except QueryError:  # more streams than an answer may have series: ask for each label on its own
        found = [_top_facet(services, log, name, start_ns, end_ns) for name in names]
    return sorted((facet for facet in found if facet.values), key=_facet_order)


def _facet_order(facet: Facet) -> tuple[bool, int, str]:
    first = _FACETS_FIRST.index(facet.name) if facet.name in _FACETS_FIRST else len(_FACETS_FIRST)
    return len(facet.values) == 1, first, facet.name


def _count(services: Services, query: str, end_ns: int) -> list[tuple[Mapping[str, str], int]]:
    answer = _series(run(Request(query, end_ns, end_ns), services.table, services.engine, services.kept))
    counts = answer.frame.select("series", "value").iter_rows()
    return [(answer.labels[series], int(value)) for series, value in counts]


def _facet(name: str, counted: list[tuple[Mapping[str, str], int]]) -> Facet:
    counts: Counter[str] = Counter()
    for held, count in counted:
        if name in held:
            counts[held[name]] += count
    return Facet(name, counts.most_common(FACET_VALUES), max(0, len(counts) - FACET_VALUES))


def _top_facet(services: Services, log: LogQuery, name: str, start_ns: int, end_ns: int) -> Facet:
    query = f"topk({FACET_VALUES}, {histogram.query(log, end_ns - start_ns, name)})"
    facet = _facet(name, _count(services, query, end_ns))
    values = labels.label_values(services.table, name, start_ns, end_ns, str(log.selector))
    return Facet(name, facet.values, max(0, len(values) - len(facet.values)))


def nearest(services: Services, query: str, start_ns: int, end_ns: int) -> tuple[str, int] | None:
    """Return where the nearest line outside of the range is, `earlier` or `later`, and its time."""
    found = []
    earlier = _first(services, query, FIRST_NS, start_ns, "backward")
    if earlier is not None:
        found.append((start_ns - earlier, "earlier", earlier))
    later = _first(services, query, end_ns, LAST_NS, "forward")
    if later is not None:
        found.append((later - end_ns, "later", later))
    return min(found)[1:] if found else None


def _first(services: Services, query: str, start_ns: int, end_ns: int, direction: Direction) -> int | None:
    request = Request(query, start_ns, end_ns, None, 1, direction, NEAREST_TIMEOUT_S)
    times = lines_of(run(request, services.table, services.engine)).frame["_time_ns"]
    return int(times[0]) if times.len() else None


def newest_ns(services: Services) -> int | None:
    """Return the time of the newest line of all, from the table's statistics; None when it is empty."""
    times = services.table.snapshot().segments(FIRST_NS, LAST_NS).frame["max_time_ns"].drop_nulls()
    return int(times.max()) if times.len() else None  # type: ignore[arg-type]  # Int64: not null here


def _series(answer: Lines | Series) -> Series:
    assert isinstance(answer, Series), "a metric query gives numbers"
    return answer
