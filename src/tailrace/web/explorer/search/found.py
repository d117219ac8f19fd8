"""Where lines are: the nearest ones that fit, the newest of all; nothing here knows of HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.query.run import Request, run
from tailrace.web.explorer.search.pages import Direction, lines_of

if TYPE_CHECKING:
    from tailrace.web.services import Services

NEAREST_TIMEOUT_S: Final = 3.0
FIRST_NS: Final = -(2**61)
LAST_NS: Final = 2**62
"""The years 1896 and 2116: what the page looks at is kept between them, so that sums of times fit in 64 bits."""


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
