"""The patterns tab: what kinds of lines there are, how often each, and which are new, gone, or of another rate.

Lines of both ranges are mined together (`query.pattern_mining`), so that one message has one pattern in both. Up to
`LINES_MOST` lines of a range are all looked at; of more a part from everywhere in the range, and counts are estimates.
Rates are compared, not counts, since ranges may differ in how much of them was stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.lexer import quote
from tailrace.query.lines import Window
from tailrace.query.pattern_mining import mine, together
from tailrace.web.explorer.search.sample import merged
from tailrace.web.explorer.shapes.spark import Spark, spark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.query.pattern_mining import Mined
    from tailrace.query.syntax import LogQuery
    from tailrace.web.explorer.search.histogram import Grid
    from tailrace.web.explorer.search.sample import Part
    from tailrace.web.services import Services

LINES_MOST: Final = 300_000
"""Lines of a range that are mined: what takes about a third of a second."""
PARTS: Final = 24
PATTERNS_MOST: Final = 100
_FLOOR: Final = 10
"""Lines below which nothing is called new, gone or changed, errors aside: chance would be most of it."""
_FACTOR: Final = 2.0
_BAD: Final = frozenset({"error", "critical", "fatal"})
_WORST: Final = ("fatal", "critical", "error", "warn", "info", "debug", "trace")


@dataclass(frozen=True, slots=True)
class Range:
    """A range that is mined: its parts with their lines, and for how long anything was stored in it."""

    parts: Sequence[Part]
    stored_ns: int

    @property
    def total(self) -> int:
        """All lines."""
        return sum(part.lines for part in self.parts)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern: about how many lines it has, and had before, and what changed (a key of `texts.CHANGES`)."""

    text: str
    lines: int
    share: float
    level: str
    example: str
    drawing: Spark
    before: int | None = None
    change: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Patterns:
    """All patterns, the most frequent first, and of how many lines they were made."""

    patterns: list[Pattern]
    looked: int
    total: int
    more: int  # patterns that are not listed
    left_out: int  # lines that are like no others
    compared: bool = False
    unstored: bool = False  # nothing was stored in the earlier range, so nothing can be new

    @property
    def whole(self) -> bool:
        """Tell whether every line was looked at."""
        return self.looked >= self.total


def patterns(services: Services, log: LogQuery, grid: Grid, now: Range, before: Range | None = None) -> Patterns:
    """Return the patterns of a range, and how they differ from those of an earlier one."""
    mined = [_mined(services, log, grid.step_ns, span) for span in (now, before) if span is not None]
    ours, *earlier = (
        _Found(frame, span) for frame, span in zip(together(mined), (now, before), strict=False) if span is not None
    )
    shown = [_pattern(text, part, ours, grid) for text, part in _by_pattern(ours.frame)]
    if before is not None:
        was = earlier[0].sums
        shown = [_compared(one, was.get(one.text, 0), now, before) for one in shown]
        gone = earlier[0].frame.filter(~pl.col("pattern").is_in(list(ours.sums)))
        lost = (replace(_pattern(text, part, earlier[0], grid), lines=0, share=0.0) for text, part in _by_pattern(gone))
        shown += [one for old in lost if (one := _compared(old, was[old.text], now, before)).change]
    order = sorted(shown, key=lambda one: (-(one.lines or one.before or 0), one.text))
    more = len(ours.sums) - sum(one.change != "gone" for one in order[:PATTERNS_MOST])
    unstored = before is not None and before.stored_ns <= 0
    left_out = mined[0].left_out
    return Patterns(
        order[:PATTERNS_MOST], ours.looked + left_out, now.total, more, left_out, before is not None, unstored
    )


def filtered(log: LogQuery, text: str, op: str) -> str:
    """Return the query with a test for a pattern, `|>` or `!>`; empty for a pattern that no query can ask for."""
    query = f"{log} {op} {quote(text)}"
    try:
        parser.parse(query)
    except QueryError:
        return ""
    return query


@dataclass(frozen=True, slots=True)
class _Found:
    """The counts of a range by pattern, level and bucket, of the lines that were looked at."""

    frame: pl.DataFrame
    range: Range
    sums: dict[str, int] = field(init=False, default_factory=dict)  # about how many lines each pattern has

    def __post_init__(self) -> None:
        """Sum up once."""
        sums = self.frame.group_by("pattern", maintain_order=True).agg(pl.col("lines").sum())
        self.sums.update((text, round(lines * self.scale)) for text, lines in sums.iter_rows())

    @property
    def looked(self) -> int:
        """Lines that were looked at."""
        return int(self.frame["lines"].sum())

    @property
    def scale(self) -> float:
        """Lines that each of these stands for."""
        return max(1.0, self.range.total / self.looked) if self.range.total > LINES_MOST and self.looked else 1.0


def _mined(services: Services, log: LogQuery, step_ns: int, span: Range) -> Mined:
    parts, share = _parts(span), min(1.0, LINES_MOST / max(span.total, 1))
    windows = [Window(part.start_ns, part.end_ns, max(1, round(part.lines * share)), "backward") for part in parts]
    return mine(log, windows, step_ns, services.table, services.engine, examples=True)


def _parts(span: Range) -> list[Part]:
    """Return the parts that lines are taken from, of equal weight; one if all lines are."""
    return [part for part in merged(span.parts, PARTS if span.total > LINES_MOST else 1) if part.lines]


def _by_pattern(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    shown = frame["pattern"].unique(maintain_order=True).head(PATTERNS_MOST).to_list()
    kept = frame.filter(pl.col("pattern").is_in(shown))
    return [(str(text), part) for (text,), part in kept.group_by("pattern", maintain_order=True)]


def _pattern(text: str, part: pl.DataFrame, found: _Found, grid: Grid) -> Pattern:
    lines = found.sums[text]
    drawing = spark(_points(part, found.range, grid), grid.start_ns, grid.end_ns)
    return Pattern(text, lines, lines / max(found.range.total, 1), _level(part), part["example"][0], drawing)


def _points(part: pl.DataFrame, span: Range, grid: Grid) -> list[tuple[int, float]]:
    """Return lines per bucket over time; in a sample as the mean of each part, all of whose lines stand at its end."""
    counts = dict(part.group_by("bucket").agg(pl.col("lines").sum()).iter_rows())
    if span.total <= LINES_MOST:
        return [(at, float(counts.get(at, 0))) for at in range(grid.start_ns, grid.end_ns, grid.step_ns)]
    points = []
    for one in _parts(span):
        lines = sum(count for at, count in counts.items() if one.start_ns - grid.step_ns < at < one.end_ns)
        rate = lines * grid.step_ns / max(one.end_ns - one.start_ns, 1)
        points += [(one.start_ns, rate), (one.end_ns, rate)]
    return points


def _compared(one: Pattern, before: int, now: Range, earlier: Range) -> Pattern:
    """Return the pattern with what changed."""
    one = replace(one, before=before)
    bad = one.level in _BAD
    if earlier.stored_ns <= 0 or now.stored_ns <= 0 or (max(one.lines, before) < _FLOOR and not bad):
        return one
    if not before or not one.lines:
        return replace(one, change="new" if one.lines else "gone")
    factor = (one.lines / now.stored_ns) / (before / earlier.stored_ns)
    if min(one.lines, before) >= _FLOOR and not 1 / _FACTOR < factor < _FACTOR:
        return replace(one, change="more" if factor > 1 else "less", factor=factor)
    return one


def _level(part: pl.DataFrame) -> str:
    """Return the level that most lines have; the worse of two."""
    counts = part.drop_nulls("level").group_by("level").agg(pl.col("lines").sum())
    order = sorted(counts.iter_rows(), key=lambda row: (-row[1], _WORST.index(row[0]) if row[0] in _WORST else 9))
    return str(order[0][0]) if order else ""


def stored_ns(start_ns: int, end_ns: int, oldest_ns: int | None, now_ns: int) -> int:
    """Return for how much of a range lines were stored."""
    first = end_ns if oldest_ns is None else max(start_ns, oldest_ns)
    return max(0, min(end_ns, now_ns) - first)
