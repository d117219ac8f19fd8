"""A sparkline: one series in the height of a line of text, with its least, most and last value. Pure.

It has no axis: the numbers stand beside it, and a page of its own has the whole chart.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

from tailrace.web.explorer.shapes.lines import broken

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH: Final = 100
HEIGHT: Final = 24


@dataclass(frozen=True, slots=True)
class Spark:
    """The drawing as an SVG path, and what it says in numbers; without a value there are none."""

    path: str = ""
    last: float | None = None
    least: float | None = None
    most: float | None = None


def spark(points: Iterable[tuple[int, float]], start_ns: int, end_ns: int, step_ns: int | None = None) -> Spark:
    """Return the drawing of (time, value) in the order of time, over `[start, end]`.

    The ground line is zero, or the least value below it. With a step the line is broken where one has no value.

    >>> spark([(0, 0.0), (50, 2.0), (100, 1.0)], 0, 100).path
    'M0,24h0L50,0L100,12'
    """
    held = [(at, value) for at, value in points if isfinite(value) and start_ns <= at <= end_ns]
    if not held:
        return Spark()
    values = [value for _, value in held]
    least, most = min(0.0, *values), max(0.0, *values)
    span, height = max(end_ns - start_ns, 1), (most - least) or 1.0
    places = [((at - start_ns) * WIDTH / span, HEIGHT - (value - least) * HEIGHT / height) for at, value in held]
    path = broken(places, None if step_ns is None else step_ns * WIDTH / span)
    return Spark(path, values[-1], min(values), max(values))
