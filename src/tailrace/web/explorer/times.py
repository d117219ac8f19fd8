"""Times as people read them on the page, all in UTC. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from tailrace.clock import NS_PER_S

_HOUR_NS: Final = 3_600 * NS_PER_S
_DAY_NS: Final = 24 * _HOUR_NS


def clock_text(ns: int) -> str:
    """Return the time of day in UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%H:%M:%S}.{ns % NS_PER_S // 1_000_000:03d}"


def day_text(ns: int) -> str:
    """Return the day in UTC."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%d}"


def ticks(start_ns: int, end_ns: int, count: int = 5) -> list[str]:
    """Return texts for evenly spaced times of an axis, as fine as the range needs."""
    span = end_ns - start_ns
    layout = "%H:%M:%S" if span < _HOUR_NS // 6 else "%H:%M" if span <= 2 * _DAY_NS else "%b %d"
    layout = "%b %d %H:%M" if _DAY_NS < span <= 4 * _DAY_NS else layout
    marks = (start_ns + span * number // (count - 1) for number in range(count))
    return [datetime.fromtimestamp(mark // NS_PER_S, UTC).strftime(layout) for mark in marks]
