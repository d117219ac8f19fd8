"""The patterns tab: what kinds of lines there are, how often each, and which are new, gone, or of another rate.

Lines of both ranges are mined together (`query.pattern_mining`), so that one message has one pattern in both. Up to
`LINES_MOST` lines of a range are all looked at; of more a part from everywhere in the range, and counts are estimates.
Rates are compared, not counts, since ranges may differ in how much of them was stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.lexer import quote
from tailrace.query.lines import Window
from tailrace.query.pattern_mining import mine, together
from tailrace.web.explorer.search.sample import PARTS, Part, merged
from tailrace.web.explorer.shapes.spark import Spark, spark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.query.pattern_mining import Mined
    from tailrace.query.syntax import LogQuery
    from tailrace.web.explorer.search.histogram import Grid
    from tailrace.web.services import Services

LINES_MOST: Final = 300_000
"""Lines of a range that are mined: what takes about a third of a second."""
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
    mined = [_mined(services, log, grid, span) for span in (now, before) if span is not None]
    found = together([one for one, _ in mined])
    looked = int(found[0]["lines"].sum())
    earlier = _Earlier(found[1], before, now) if before is not None else None
    scale = now.total / looked if looked else 1.0
    table = [_pattern(text, part, scale, now, grid, earlier) for (text,), part in _by_pattern(found[0])]
    if earlier is not None:
        table += earlier.gone({one.text for one in table})
    listed = sorted(table, key=lambda one: (-_weight(one), one.text))[:PATTERNS_MOST]
    unstored = before is not None and before.stored_ns <= 0
    left_out = sum(one.left_out for one, _ in mined[:1])
    return Patterns(
        listed, looked + left_out, now.total, len(table) - len(listed), left_out, before is not None, unstored
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
class _Earlier:
    """The patterns of the range that another one is compared with."""

    frame: pl.DataFrame
    before: Range
    now: Range

    def lines(self) -> Mapping[str, int]:
        """Return about how many lines each pattern had."""
        looked = int(self.frame["lines"].sum())
        scale = self.before.total / looked if looked else 1.0
        sums = self.frame.group_by("pattern").agg(pl.col("lines").sum())
        return {text: round(lines * scale) for text, lines in sums.iter_rows()}

    def change(self, lines: int, before: int, *, bad: bool) -> tuple[str, float]:
        """Return what changed, and by which factor the rate did."""
        if self.before.stored_ns <= 0 or (max(lines, before) < _FLOOR and not bad):
            return "", 1.0
        if not before:
            return "new", 1.0
        if not lines:
            return "gone", 1.0
        factor = (lines / self.now.stored_ns) / (before / self.before.stored_ns) if self.now.stored_ns > 0 else 1.0
        if min(lines, before) >= _FLOOR and not 1 / _FACTOR < factor < _FACTOR:
            return ("more" if factor > 1 else "less"), factor
        return "", factor

    def gone(self, known: set[str]) -> list[Pattern]:
        """Return the patterns that no line has any more."""
        found = []
        for text, lines in self.lines().items():
            if text not in known:
                part = self.frame.filter(pl.col("pattern") == text)
                level, example = _level(part), part["example"][0]
                change, _ = self.change(0, lines, bad=level in _BAD)
                if change:
                    found.append(Pattern(text, 0, 0.0, level, example, Spark(), lines, change))
        return found


def _mined(services: Services, log: LogQuery, grid: Grid, span: Range) -> tuple[Mined, int]:
    total = span.total
    parts = [part for part in merged(span.parts, PARTS if total > LINES_MOST else 1) if part.lines]
    share = min(1.0, LINES_MOST / max(total, 1))
    windows = [Window(part.start_ns, part.end_ns, max(1, round(part.lines * share)), "backward") for part in parts]
    return mine(log, windows, grid.step_ns, services.table, services.engine, examples=True), total


def _by_pattern(frame: pl.DataFrame) -> list[tuple[tuple[str], pl.DataFrame]]:
    shown = frame["pattern"].unique(maintain_order=True).head(4 * PATTERNS_MOST).to_list()
    kept = frame.filter(pl.col("pattern").is_in(shown))
    return [((str(text),), part) for (text,), part in kept.group_by("pattern", maintain_order=True)]


def _pattern(text: str, part: pl.DataFrame, scale: float, now: Range, grid: Grid, earlier: _Earlier | None) -> Pattern:
    lines = round(int(part["lines"].sum()) * scale)
    buckets = part.group_by("bucket").agg(pl.col("lines").sum()).sort("bucket")
    known = dict(buckets.iter_rows())
    points = [(at, float(known.get(at, 0))) for at in range(grid.start_ns, grid.end_ns, grid.step_ns)]
    level = _level(part)
    one = Pattern(
        text, lines, lines / max(now.total, 1), level, part["example"][0], spark(points, grid.start_ns, grid.end_ns)
    )
    if earlier is None:
        return one
    before = earlier.lines().get(text, 0)
    change, factor = earlier.change(lines, before, bad=level in _BAD)
    return Pattern(text, lines, one.share, level, one.example, one.drawing, before, change, factor)


def _level(part: pl.DataFrame) -> str:
    """Return the level that most lines have; the worse of two."""
    counts = part.drop_nulls("level").group_by("level").agg(pl.col("lines").sum())
    order = sorted(counts.iter_rows(), key=lambda row: (-row[1], _WORST.index(row[0]) if row[0] in _WORST else 9))
    return str(order[0][0]) if order else ""


def _weight(one: Pattern) -> int:
    return max(one.lines, one.before or 0 if one.change == "gone" else 0)


def stored_ns(start_ns: int, end_ns: int, oldest_ns: int | None, now_ns: int) -> int:
    """Return for how much of a range lines were stored."""
    first = end_ns if oldest_ns is None else max(start_ns, oldest_ns)
    return max(0, min(end_ns, now_ns) - first)


def rate_text(lines: int, stored: int) -> str:
    """Return lines per second, minute or hour, whichever reads well.

    >>> rate_text(120, 60 * NS_PER_S), rate_text(3, 60 * NS_PER_S), rate_text(0, NS_PER_S)
    ('2/s', '3/min', '0/s')
    """
    if stored <= 0 or not lines:
        return "0/s"
    rate = lines * NS_PER_S / stored
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3_600)):
        if rate * seconds >= 1 or unit == "h":
            return f"{rate * seconds:,.3g}/{unit}" if rate * seconds < 1_000 else f"{rate * seconds:,.0f}/{unit}"  # noqa: PLR2004
    raise AssertionError("the last unit always answers")
