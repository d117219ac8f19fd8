"""Time range and step of a request, with the defaults of Loki's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.web.times import duration_ns, time_ns

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

HOUR_NS: Final = 3_600 * NS_PER_S
_DEFAULT_POINTS: Final = 250


def time_range(given: QueryParams, now_ns: int, since_ns: int = HOUR_NS) -> tuple[int, int]:
    """Return start and end: `end` is now, `start` lies `since` before the earlier of `end` and now."""
    end_ns = time_ns(given["end"], "end") if given.get("end") else now_ns
    if given.get("since"):
        since_ns = duration_ns(given["since"], "since")
    start_ns = time_ns(given["start"], "start") if given.get("start") else min(end_ns, now_ns) - since_ns
    if end_ns < start_ns:
        raise QueryError("end lies before start")
    return start_ns, end_ns


def step_ns(given: QueryParams, start_ns: int, end_ns: int) -> int:
    """Return the step: as given, else a 250th of the range in whole seconds."""
    if not given.get("step"):
        return max(1, (end_ns - start_ns) // (_DEFAULT_POINTS * NS_PER_S)) * NS_PER_S
    step = duration_ns(given["step"], "step")
    if step <= 0:
        raise QueryError("step must be more than zero")
    return step
