"""The histogram over the lines: counts on a calendar grid, by level or by any label, as numbers and as a drawing.

Pure: a time range gives a grid, counts of lines (`query.counting`) on it give the bars. What was not searched is told
apart from what holds nothing. The drawing has no text and no style of its own; a table with the same numbers stands
beside it in the page.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.query.counting import BUCKET, LINES
from tailrace.web.explorer.search.state import LEVEL
from tailrace.web.explorer.shapes.stacks import HEIGHT, SERIES_MOST, WIDTH, Bar, pieces_of
from tailrace.web.explorer.texts import overview as texts

if TYPE_CHECKING:
    from collections.abc import Sequence

BUCKETS_MOST: Final = 120
UNKNOWN: Final = "unknown"
"""How a query calls the level of a line without one."""

_SECONDS: Final = (1, 2, 3, 5, 10, 15, 20, 30)
_STEPS_NS: Final = (
    *(number * 1_000_000 for number in (1, 2, 4, 5, 10, 20, 40, 50, 100, 200, 250, 500)),
    *(number * NS_PER_S for number in _SECONDS),
    *(number * 60 * NS_PER_S for number in _SECONDS),
    *(number * 3_600 * NS_PER_S for number in (1, 2, 3, 6, 12)),
    *(number * 86_400 * NS_PER_S for number in (1, 2, 4, 7, 14, 28, 56, 91, 182, 364, 728, 1_456, 2_912)),
)
"""None is more than twice the one before it, so that 60 to 120 buckets fit any range."""

_LEVELS: Final = ("fatal", "critical", "error", "warn", "info", "debug", "trace", UNKNOWN)
"""From the bottom up: what is worst stands on the ground line, where heights compare. Pushed lines may be critical."""

_SHIFTS_NS: Final = {"1d": 86_400 * NS_PER_S, "7d": 7 * 86_400 * NS_PER_S}


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

    def x(self, time_ns: int) -> float:
        """Return where a time stands in the drawing."""
        inside = min(max(time_ns, self.start_ns), self.end_ns)
        return round((inside - self.start_ns) * WIDTH / self.step_ns, 2)


@dataclass(frozen=True, slots=True)
class Split:
    """One series: the value that its lines have, None for those without one or, with `other`, for all the rest."""

    value: str | None
    name: str
    style: str
    total: int
    other: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of the drawing that was not searched, and why: a key of `texts.GAPS`."""

    x: float
    width: float
    why: str


@dataclass(frozen=True, slots=True)
class Before:
    """The range that this one is compared with: how much earlier, lines of each bucket, and the outline of these.

    `stored` tells whether all of it lies behind the first line that is stored.
    """

    shift_ns: int
    counts: list[int]
    path: str
    stored: bool = True

    @property
    def total(self) -> int:
        """All lines of it."""
        return sum(self.counts)

    def change(self, total: int) -> str:
        """Return by how much a total differs from this one, in words."""
        if not self.total:
            return texts.NEW if total else texts.SAME
        share = 100 * (total - self.total) / self.total
        return f"{share:+,.0f} %" if abs(share) >= 10 or share == round(share) else f"{share:+.1f} %"  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Histogram:
    """The bars with what they are made of; `exact` tells whether every line of the range was counted."""

    by: str
    grid: Grid
    series: list[Split]
    bars: list[Bar]
    most: float
    gaps: list[Gap]
    before: Before | None = None
    exact: bool = True

    @property
    def total(self) -> int:
        """All lines."""
        return sum(one.total for one in self.series)

    @property
    def rows(self) -> list[tuple[Bar, int | None]]:
        """Return the bars that hold anything, each with the lines of the earlier range, if there is one."""
        earlier = self.before.counts if self.before else [None] * len(self.bars)
        return [(bar, count) for bar, count in zip(self.bars, earlier, strict=True) if bar.total or count]

    @property
    def width(self) -> int:
        """Width of the drawing."""
        return max(1, len(self.bars)) * WIDTH


def grid(start_ns: int, end_ns: int) -> Grid:
    """Return the finest calendar grid over a range that needs no more than `BUCKETS_MOST` buckets."""
    span = max(end_ns - start_ns, 1)
    step = _STEPS_NS[min(bisect_left(_STEPS_NS, span / (BUCKETS_MOST - 1)), len(_STEPS_NS) - 1)]
    return Grid(start_ns // step * step, -(-end_ns // step) * step, step)


def shift_ns(compare: str, start_ns: int, end_ns: int) -> int:
    """Return how far back the range lies that this one is compared with; 0 for none."""
    return end_ns - start_ns if compare == "previous" else _SHIFTS_NS.get(compare, 0)


def histogram(
    counts: pl.DataFrame,
    by: str,
    on: Grid,
    gaps: Sequence[Gap] = (),
    before: tuple[pl.DataFrame, int, bool] | None = None,
    *,
    exact: bool = True,
) -> Histogram:
    """Return the bars of `counts`: columns `by`, `bucket` and `lines`; `before` are counts of an earlier range.

    With them comes how far back they lie, and whether all of it is stored. Of more values than have a colour, the
    smaller ones are "other".
    """
    series, numbers = _series(counts, by)
    numbered = counts.join(numbers, on=by, how="left", nulls_equal=True).with_columns(
        place=(pl.col(BUCKET) - on.start_ns) // on.step_ns, series=pl.col("series").fill_null(len(series) - 1)
    )
    cells = numbered.group_by("place", "series").agg(pl.col(LINES).sum())
    values = [[0.0] * len(series) for _ in range(on.buckets)]
    for place, number, lines in cells.select("place", "series", LINES).iter_rows():
        if 0 <= place < len(values):
            values[place][number] += lines
    earlier = _counts(before[0], before[1], on) if before else []
    most = max([*map(sum, values), *earlier], default=0.0)
    bars = [
        Bar(at, at + on.step_ns, held, pieces_of(number, held, most))
        for number, (at, held) in enumerate(zip(range(on.start_ns, on.end_ns, on.step_ns), values, strict=True))
    ]
    outline = Before(before[1], earlier, _outline(earlier, most), before[2]) if before else None
    return Histogram(by, on, series, bars, most, list(gaps), outline, exact)


def gaps(on: Grid, start_ns: int, end_ns: int, oldest_ns: int | None, now_ns: int) -> list[Gap]:
    """Return what of the grid was not searched, or holds nothing because nothing was stored, or not yet."""
    first = on.end_ns if oldest_ns is None else oldest_ns
    found = [
        (on.start_ns, start_ns, "outside"),
        (start_ns, min(first, now_ns, end_ns), "unstored"),
        (max(now_ns, start_ns), end_ns, "future"),
        (end_ns, on.end_ns, "outside"),
    ]
    return [Gap(on.x(low), round(on.x(high) - on.x(low), 2), why) for low, high, why in found if on.x(high) > on.x(low)]


def _series(counts: pl.DataFrame, by: str) -> tuple[list[Split], pl.DataFrame]:
    """Return the series in the order of the stack, and a frame of `by` and their number; "other" has none there."""
    sums = counts.group_by(by).agg(pl.col(LINES).sum()).sort(LINES, by, descending=[True, False])
    if by == LEVEL:
        known = sums.filter(pl.col(by).is_in(_LEVELS))
        rows = sorted(known.iter_rows(), key=lambda row: _LEVELS.index(row[0]))
        styles = [f"lv-{'none' if value == UNKNOWN else value}" for value, _ in rows]
    else:
        few = sums.height <= SERIES_MOST + 1  # one more is no "other"
        rows = list(sums.head(sums.height if few else SERIES_MOST).iter_rows())
        styles = ["lv-none" if value is None else f"c{number}" for number, (value, _) in enumerate(rows)]
    series = [Split(value, _name(value, by), style, total) for (value, total), style in zip(rows, styles, strict=True)]
    rest = int(sums[LINES].sum()) - sum(total for _, total in rows)
    if rest:
        number = sums.height - len(rows)
        series.append(Split(None, texts.OTHER.format(count=f"{number:,}"), "c-other", rest, other=True))
    values = pl.Series(by, [value for value, _ in rows], pl.String)
    return series, values.to_frame().with_row_index("series").cast({"series": pl.Int64})


def _name(value: str | None, by: str) -> str:
    if by == LEVEL:
        return texts.NO_LEVEL if value in (None, UNKNOWN) else str(value)
    return texts.WITHOUT.format(name=by) if value is None else value


def _counts(counts: pl.DataFrame, shift: int, on: Grid) -> list[int]:
    """Return the lines of each bucket of an earlier range."""
    found = [0] * on.buckets
    places = counts.select((pl.col(BUCKET) + shift - on.start_ns) // on.step_ns, LINES)
    for place, lines in places.iter_rows():
        if 0 <= place < len(found):
            found[place] += lines
    return found


def _outline(counts: Sequence[int], most: float) -> str:
    """Return the path over the tops of bars that are not drawn."""
    tops = (round(HEIGHT - count * HEIGHT / (most or 1.0), 2) for count in counts)
    return (
        f"M0,{HEIGHT}" + "".join(f"V{top:g}H{(number + 1) * WIDTH}" for number, top in enumerate(tops)) + f"V{HEIGHT}"
    )
