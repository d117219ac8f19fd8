"""Which windows of a rule are to be evaluated: those that are due, and those that late lines made untrue. Pure.

A window is named by its end T, a multiple of the group's interval since the epoch, so that all groups of one interval,
on all servers and after every restart, evaluate the same ones. Of a function over a range R, moved back by an offset
O, the window T has the lines with T - O - R < t <= T - O.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Due:
    """Windows to evaluate, oldest first, and the first and last of those that are too old to be made up for."""

    times: range
    skipped: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far before the end of a window its lines lie: from `near_ns` (the smallest offset) to less than `far_ns`."""

    near_ns: int = 0
    far_ns: int = 0


def due(evaluated_ns: int, complete_ns: int, interval_ns: int, catch_up_ns: int, most: int) -> Due:
    """Return what is due of a rule whose windows up to `evaluated_ns` are done, when lines are complete up to a time.

    At most `most` windows; what lies further back than `catch_up_ns` is skipped.

    >>> due(60, 200, 60, 10_000, 100)
    Due(times=range(120, 181, 60), skipped=None)
    >>> due(60, 1000, 60, 300, 2)
    Due(times=range(720, 781, 60), skipped=(120, 660))
    """
    last = complete_ns // interval_ns * interval_ns
    first = (evaluated_ns // interval_ns + 1) * interval_ns
    oldest = -(-(complete_ns - catch_up_ns) // interval_ns) * interval_ns
    skipped = None
    if first < oldest:
        skipped, first = (first, oldest - interval_ns), oldest
    return Due(range(first, min(last, first + (most - 1) * interval_ns) + 1, interval_ns), skipped)


def untrue(late: tuple[int, int], reach: Reach, evaluated_ns: int, interval_ns: int, horizon_ns: int) -> range:
    """Return the windows that were evaluated and that lines with times from `late[0]` to `late[1]` belong to.

    Those more than `horizon_ns` before the last one are left as they are.

    >>> untrue((130, 190), Reach(0, 100), 300, 60, 10_000)
    range(180, 290, 60)
    """
    first = -(-(late[0] + reach.near_ns) // interval_ns) * interval_ns
    oldest = -(-(evaluated_ns - horizon_ns) // interval_ns) * interval_ns
    last = min(late[1] + reach.far_ns - 1, evaluated_ns)
    return range(max(first, oldest), last + 1, interval_ns)
