"""The histogram over the lines: counts by level on a calendar grid, as numbers and as a drawing.

Pure: a time range gives a grid, a grid gives a query, its answer gives bars. The drawing has no text and
no style of its own; a table with the same numbers stands beside it in the page.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace.batch import LEVELS
from tailrace.clock import NS_PER_S
from tailrace.query.literals import write_duration
from tailrace.query.stages.line_filter import LineFilter
from tailrace.web.explorer.texts.search import NO_LEVEL

if TYPE_CHECKING:
    from tailrace.query.result import Series
    from tailrace.query.syntax import LogQuery

BUCKETS_MOST: Final = 120
HEIGHT: Final = 100
WIDTH: Final = 10
"""Height of the drawing and width of a bar, in units of the drawing."""

_SECONDS: Final = (1, 2, 5, 10, 15, 30)
_STEPS_NS: Final = (
    *(number * 1_000_000 for number in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(number * NS_PER_S for number in _SECONDS),
    *(number * 60 * NS_PER_S for number in _SECONDS),
    *(number * 3_600 * NS_PER_S for number in (1, 2, 3, 6, 12)),
    *(number * 86_400 * NS_PER_S for number in (1, 2, 7, 14, 28, 91, 182, 364, 728, 3_640)),
)
_STACK: Final = ("fatal", "critical", *reversed(LEVELS[:-1]), NO_LEVEL)
"""From the bottom up: what is worst stands on the ground line, where heights compare. Pushed lines may be critical."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Buckets `[start, start + step)`, `[start + step, …)`, the last one ending at or after `end`."""

    start_ns: int
    end_ns: int
    step_ns: int

    @property
    def buckets(self) -> int:
        """How many buckets there are."""
        return (self.end_ns - self.start_ns) // self.step_ns


@dataclass(slots=True)
class Bar:
    """One bucket: its time and the lines of each level in it."""

    start_ns: int
    end_ns: int
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Lines of all levels."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Box:
    """A piece of a bar in the drawing."""

    level: str
    x: float
    y: float
    height: float


def grid(start_ns: int, end_ns: int) -> Grid:
    """Return the finest calendar grid over a range that needs no more than `BUCKETS_MOST` buckets."""
    span = max(end_ns - start_ns, 1)
    step = _STEPS_NS[min(bisect_left(_STEPS_NS, span / (BUCKETS_MOST - 1)), len(_STEPS_NS) - 1)]
    return Grid(start_ns // step * step, -(-end_ns // step) * step, step)


def query(log: LogQuery, step_ns: int, by: str = "detected_level") -> str:
    """Return the metric query that counts the lines of each bucket; a line that a stage stumbles over counts too."""
    lenient = any(not isinstance(stage, LineFilter) for stage in log.stages)
    text = f"{log} | drop __error__, __error_details__" if lenient else str(log)
    # a point at T counts (T - step, T]; moved back by 1 ns it counts [T - step, T), the bucket that ends there
    return f"sum by ({by}) (count_over_time({text} [{write_duration(step_ns)}] offset 1ns))"


def bars(answer: Series, grid: Grid) -> list[Bar]:
    """Return a bar for each bucket; points stand at the end of their bucket."""
    step = grid.step_ns
    found = [Bar(at, at + step) for at in range(grid.start_ns, grid.end_ns, step)]
    levels = [level if (level := labels.get("detected_level")) in _STACK else NO_LEVEL for labels in answer.labels]
    for series, time_ns, value in answer.frame.select("series", "_time_ns", "value").iter_rows():
        at = (time_ns - grid.start_ns) // step - 1
        if 0 <= at < len(found):
            counts = found[at].counts
            counts[levels[series]] = counts.get(levels[series], 0) + int(value)
    return found


def boxes(found: list[Bar]) -> list[list[Box]]:
    """Return the pieces of each bar, bottom up; the highest bar is as high as the drawing, and one line is visible."""
    most = max((bar.total for bar in found), default=0) or 1
    drawn = []
    for number, bar in enumerate(found):
        pieces, y = [], float(HEIGHT)
        for level in _STACK:
            count = bar.counts.get(level, 0)
            if count:
                height = min(max(1.5, count * HEIGHT / most), y)
                y -= height
                pieces.append(Box(level, number * WIDTH + 1, round(y, 2), round(height, 2)))
        drawn.append(pieces)
    return drawn


def totals(found: list[Bar]) -> dict[str, int]:
    """Return the lines of each level over all bars, worst first; levels without lines are left out."""
    sums = {level: sum(bar.counts.get(level, 0) for bar in found) for level in _STACK}
    return {level: count for level, count in sums.items() if count}
