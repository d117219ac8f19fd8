"""The evaluation times of a metric query, and which of them a line counts for.

The window of a time T is `(T - range, T]`, moved back by the offset. Times form a grid: the start is rounded
down and the end up to a multiple of the step. A line counts for the consecutive grid points `lo` to `hi`.
There are at most two different pairs per step, so grouping by them loses nothing and needs no common divisor
of step and range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from tailrace.errors import QueryError
from tailrace.limits import POINTS_LIMIT

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl

    Column = TypeVar("Column", nw.Expr, pl.Expr)


LATEST_NS: Final = 2**63 - 1
"""The last time that a column of times can hold."""


_FLOAT_NS: Final = 2**53
"""104 days: floats hold each nanosecond up to here."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Evaluation times: `first_ns`, and `points` of them, `step_ns` apart."""

    first_ns: int
    step_ns: int
    points: int

    @property
    def last_ns(self) -> int:
        """The last evaluation time."""
        return self.first_ns + (self.points - 1) * self.step_ns


def instant(time_ns: int) -> Grid:
    """Return the grid of one evaluation."""
    return Grid(time_ns, 1, 1)


def aligned(start_ns: int, end_ns: int, step_ns: int) -> Grid:
    """Return the grid of a range query; refuse more points than `limits.POINTS_LIMIT`.

    >>> aligned(61, 119, 60)
    Grid(first_ns=60, step_ns=60, points=2)
    """
    if step_ns <= 0:
        raise QueryError("the step must be longer than nothing")
    first, last = start_ns // step_ns, -(-end_ns // step_ns)
    return Grid(first * step_ns, step_ns, _few(last - first + 1))


def stepped(start_ns: int, end_ns: int, step_ns: int) -> Grid:
    """Return the grid that begins at the start, as Prometheus has it; refuse as many points as `aligned` does.

    >>> stepped(61, 119, 60)
    Grid(first_ns=61, step_ns=60, points=1)
    """
    if step_ns <= 0:
        raise QueryError("the step must be longer than nothing")
    return Grid(start_ns, step_ns, _few((end_ns - start_ns) // step_ns + 1))


def _few(points: int) -> int:
    if points > POINTS_LIMIT:
        hint = "ask for a longer step or less time"
        raise QueryError(f"the query has {points} points per series, {POINTS_LIMIT} are allowed", hint=hint)
    return points


@dataclass(frozen=True, slots=True)
class Cells:
    """How the lines of one range aggregation fall on a grid; outside of `first_ns` to `until_ns` they do not."""

    grid: Grid
    range_ns: int
    offset_ns: int
    first_ns: int = -LATEST_NS
    until_ns: int = LATEST_NS

    @property
    def start_ns(self) -> int:
        """The first time that counts."""
        return max(self.grid.first_ns - self.range_ns - self.offset_ns + 1, self.first_ns)

    @property
    def end_ns(self) -> int:
        """The first time that does not count any more."""
        return min(self.grid.last_ns - self.offset_ns + 1, self.until_ns)

    @property
    def whole(self) -> bool:
        """Whether every line between start and end counts for every point: there is just one."""
        return self.grid.points == 1

    @property
    def even(self) -> bool:
        """Whether every line counts for the same number of points, so that `low` says all."""
        return self.range_ns % self.grid.step_ns == 0

    def keys(self, time: Column) -> list[Column]:
        """Return what tells apart lines that count for different points: `lo`, and `hi` where `lo` does not say it."""
        if self.whole:
            return []
        low = self.low(time).alias("lo")
        return [low] if self.even else [low, self.high(time).alias("hi")]

    def low(self, time: Column) -> Column:
        """Return the first grid point of a line, perhaps before the grid."""
        return self._point(time + (self.offset_ns - self.grid.first_ns + self.grid.step_ns - 1))

    def high(self, time: Column) -> Column:
        """Return the last grid point of a line, perhaps behind the grid."""
        return self._point(time + (self.offset_ns - self.grid.first_ns + self.range_ns - 1))

    def _point(self, since: Column) -> Column:
        """Return how often the step fits in a time since the first point, rounded down.

        Some engines divide as floats: exactly, as long as these hold every nanosecond. Else a multiple of the step is
        divided, and half a step put on it, so that nothing depends on how the quotient is rounded.
        """
        step = self.grid.step_ns
        if self.end_ns - self.start_ns + 2 * step >= _FLOAT_NS:
            since = since - since % step + step // 2
        return since // step
