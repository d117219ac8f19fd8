"""Find the patterns that lines are made from: `<_> GET <_> took <_>`, with how often each occurs when.

Two steps. Expressions over all lines replace what varies by itself (words with digits in them: numbers, times,
addresses, identifiers) by `<_>`: a million lines a second become a few thousand different ones. These are then grouped
in Python, much as the Drain algorithm does it (He et al., ICWS 2017): lines with as many words, and enough of them in
common, are one pattern, in which the words that differ become `<_>`; of a word like `user=ann` the part that differs.

A pattern is what the line filter `|>` takes. It matches its lines, unless a value holds the text that stands behind it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import MASKED_LINES, PATTERN_CHARS, PATTERNS, QUERY_TIMEOUT_S
from tailrace.query.afresh import afresh
from tailrace.query.lines import walk
from tailrace.query.needs import Needs
from tailrace.query.plan import plan
from tailrace.query.reads import Reading, nobody
from tailrace.query.result import Stats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tailrace.contracts import Engine, Table
    from tailrace.query.lines import Window
    from tailrace.query.syntax import LogQuery

HOLE: Final = "<_>"
VARYING: Final = (
    "(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]{1,2} "
    "[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?: [0-9]{4})?"  # times with names in them
    r"|<[^<>\s]*>"  # would be a capture, and mostly stands for something
    r"|[A-Za-z_./@#-]*[0-9](?:(?:[\w.:/@#%+-]|,[0-9])*\w)?"  # a word with a digit, without the punctuation behind it
)
"""What is taken for a value wherever it stands."""

ALIKE: Final = (0.7, 0.5, 0.3)
"""Share of words that a line must share with a pattern to belong to it; the next if there are too many patterns.

Measured on the eight samples of loghub: with 0.7, 0.91 of the lines are grouped as the reference has it, headers cut
off (Drain: 0.89), and 0.84 with their headers; with 0.5, 0.83 and 0.74. Words that are weighed by how rare they are
give 0.92 and 0.87, and fail where one pattern has many users."""

_HOLES: Final = r"(?:<_>){2,}"
_END: Final = re.compile(r"<_>\s+\Z")
_PUNCTUATION: Final = "[](){}:,.;=\"'"
_PARTS: Final = re.compile(r"[\w<>]+|[^\w<>]")
_COUNTS: Final = ("masked", "level", "bucket")


@dataclass(slots=True)
class Mined:
    """Counts of masked lines, gathered piece by piece; memory holds one row per masked line, level and bucket."""

    step_ns: int
    examples: bool = False  # whether to keep a line of each
    counts: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(
            schema={"masked": pl.String, "level": pl.String, "bucket": pl.Int64, "lines": pl.UInt32}
        )
    )
    left_out: int = 0  # lines that were too different from all others
    cut: bool = False  # whether there were more lines than were looked at

    def add(self, lines: pl.DataFrame) -> None:
        """Count some lines: columns `_time_ns`, `_line`, `_level`."""
        masked = pl.col("_line").str.slice(0, PATTERN_CHARS).str.replace_all(VARYING, HOLE)
        example = [pl.col("_line").first().str.slice(0, PATTERN_CHARS).alias("example")] if self.examples else []
        fresh = lines.group_by(
            masked=masked.str.replace_all(_HOLES, HOLE),
            level="_level",
            bucket=pl.col("_time_ns") // self.step_ns * self.step_ns,
        ).agg(pl.len().alias("lines"), *example)
        first = [pl.col("example").first()] if self.examples else []
        whole = pl.concat([self.counts, fresh], how="diagonal")
        self.counts = whole.group_by(_COUNTS).agg(pl.col("lines").sum(), *first)
        self._bound()

    def _bound(self) -> None:
        """Keep the most frequent masked lines."""
        totals = self.counts.group_by("masked").agg(pl.col("lines").sum())
        if totals.height <= MASKED_LINES:
            return
        kept = totals.sort("lines", "masked", descending=[True, False]).head(MASKED_LINES)
        before = int(self.counts["lines"].sum())
        self.counts = self.counts.join(kept.select("masked"), on="masked", how="semi")
        self.left_out += before - int(self.counts["lines"].sum())

    def patterns(self) -> pl.DataFrame:
        """Return `pattern`, `level`, `bucket` and `lines`, and `total` of the pattern, the most frequent first."""
        return together([self])[0]


def together(minings: Sequence[Mined]) -> list[pl.DataFrame]:
    """Return what each of several minings has, see `Mined.patterns`, under patterns that are made of the lines of all.

    Apart, one message could have two patterns, and would look gone here and new there.
    """
    counts = pl.concat([mining.counts.select("masked", "lines") for mining in minings])
    totals = counts.group_by("masked").agg(pl.col("lines").sum()).sort("lines", "masked", descending=[True, False])
    texts = grouped(totals["masked"].to_list())
    found = pl.DataFrame({"masked": totals["masked"], "pattern": texts}, schema_overrides={"pattern": pl.String})
    return [_by_pattern(mining.counts.join(found, on="masked")) for mining in minings]


def _by_pattern(counts: pl.DataFrame) -> pl.DataFrame:
    first = [pl.col("example").first()] if "example" in counts.columns else []
    counts = counts.group_by("pattern", "level", "bucket").agg(pl.col("lines").sum(), *first)
    counts = counts.with_columns(total=pl.col("lines").sum().over("pattern"))
    return counts.sort("total", "pattern", "level", "bucket", descending=[True, False, False, False])


def grouped(masked: Sequence[str]) -> list[str]:
    """Return the pattern of each masked line; frequent ones should come first.

    >>> grouped(["user=ann has logged in", "user=bob has logged in", "bye"])
    ['user=<_> has logged in', 'user=<_> has logged in', 'bye']
    """
    found = list(masked)
    for alike in ALIKE:
        texts = list(dict.fromkeys(found))
        wider = dict(zip(texts, _grouped(texts, alike), strict=True))
        found = [wider[text] for text in found]
        if len(set(found)) <= PATTERNS:
            break
    return found


def _grouped(texts: Sequence[str], alike: float) -> list[str]:
    groups: dict[tuple[bool, ...], _Group] = defaultdict(partial(_Group, alike))  # words and spaces alike in each
    lines = [text.split(" ") for text in texts]
    members = [groups[tuple(map(bool, words))].member(words) for words in lines]
    return [pattern.text() for pattern in members]


def _says_nothing(word: str) -> bool:
    """Tell whether two lines that share a word need have nothing else in common."""
    return word.strip(_PUNCTUATION) in ("", HOLE)


@dataclass(slots=True, eq=False)
class _Pattern:
    """A pattern in the making."""

    words: list[str]

    def in_common(self, words: Sequence[str], places: Sequence[int]) -> int:
        """Return at how many of the places a line has the pattern's words."""
        return sum(self.words[at] == words[at] for at in places)

    def text(self) -> str:
        """Write the pattern."""
        return _once(" ".join(self.words))


@dataclass(slots=True)
class _Group:
    """The patterns of as many words and spaces, found by any of their words."""

    alike: float
    patterns: dict[_Pattern, None] = field(default_factory=dict)
    places: dict[tuple[int, str], list[_Pattern]] = field(default_factory=lambda: defaultdict(list))

    def member(self, words: list[str]) -> _Pattern:
        """Return the pattern that a line belongs to; it may be new, and is widened if need be."""
        telling = [at for at, word in enumerate(words) if not _says_nothing(word)]
        best = max(self._candidates(words, telling), key=lambda found: found.in_common(words, telling), default=None)
        if best is None or best.in_common(words, telling) < self.alike * len(telling):
            best = _Pattern(list(words))
            self.patterns[best] = None
            self._place(best, range(len(words)))
            return best
        differing = [at for at, (a, b) in enumerate(zip(best.words, words, strict=True)) if a != b]
        for at in differing:
            best.words[at] = widened(best.words[at], words[at])
        self._place(best, differing)
        return best

    def _candidates(self, words: Sequence[str], telling: Sequence[int]) -> dict[_Pattern, None]:
        """Return the patterns that may be alike: they share one of any words that are too many to differ."""
        if not telling:  # nothing but holes
            return {pattern: None for pattern in self.patterns if pattern.words == words}
        enough = int((1 - self.alike) * len(telling)) + 1
        rarest = sorted((self.places.get((at, words[at]), []) for at in telling), key=len)[:enough]
        return {pattern: None for found in rarest for pattern in found}

    def _place(self, pattern: _Pattern, places: Iterable[int]) -> None:
        for at in places:
            if pattern.words[at] != HOLE:
                self.places[at, pattern.words[at]].append(pattern)


def widened(one: str, other: str) -> str:
    """Return what matches both words: a hole between the parts that they begin and end with alike.

    >>> widened("user=ann,", "user=bob,"), widened("a<_>c", "abc"), widened("left", "right"), widened("(x)", "()")
    ('user=<_>,', '<_>', '<_>', '(<_>')
    """
    head = _common(_PARTS.findall(one.partition(HOLE)[0]), _PARTS.findall(other.partition(HOLE)[0]))
    tail = _common(_PARTS.findall(one.rpartition(HOLE)[2])[::-1], _PARTS.findall(other.rpartition(HOLE)[2])[::-1])[::-1]
    before, after = "".join(head), "".join(tail)
    if len(before) + len(after) >= min(len(one), len(other)):
        return HOLE if not before.strip() or len(before) >= min(len(one), len(other)) else before + HOLE
    return before + HOLE + after


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Return the parts that both begin with."""
    found: list[str] = []
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        found.append(a)
    return found


def _once(text: str) -> str:
    """Return a pattern without holes side by side, and blanks behind the last: they say no more than the hole.

    >>> _once("at <_><_> ")
    'at <_>'
    """
    return _END.sub(HOLE, re.sub(_HOLES, HOLE, text))


def mined(
    query: LogQuery, window: Window, step_ns: int, table: Table, engine: Engine, cancelled: Callable[[], bool] = nobody
) -> tuple[pl.DataFrame, list[str]]:
    """Return the most frequent patterns of a query's lines, see `Mined.patterns`, and what was left out.

    At most `window.limit` lines are looked at.
    """
    gathered = mine(query, [window], step_ns, table, engine, cancelled)
    patterns = gathered.patterns()
    shown = patterns["pattern"].unique(maintain_order=True).head(PATTERNS)
    warnings = []
    if gathered.cut:
        warnings.append(f"only the newest {window.limit} lines were looked at")
    if gathered.left_out:
        warnings.append(f"{gathered.left_out} lines are too different from all others and were left out")
    return patterns.filter(pl.col("pattern").is_in(shown.to_list())), warnings


def mine(
    query: LogQuery,
    windows: Sequence[Window],
    step_ns: int,
    table: Table,
    engine: Engine,
    cancelled: Callable[[], bool] = nobody,
    *,
    examples: bool = False,
) -> Mined:
    """Count the masked lines of some windows, of each the newest lines up to its limit."""

    def ask() -> Mined:
        gathered = Mined(step_ns, examples)
        reading = Reading(engine, Stats(), QUERY_TIMEOUT_S, cancelled)
        snapshot = table.snapshot()
        for window in windows:
            found = plan(query, Needs(line=True), (window.start_ns, window.end_ns), snapshot, reading.engine)
            _gather(gathered, walk(found, window, reading), window.limit)
        return gathered

    return afresh(ask)


def _gather(gathered: Mined, frames: Iterable[pl.DataFrame], most: int) -> None:
    left = most
    for frame in frames:
        gathered.add(frame.sort("_time_ns", descending=True).head(left) if frame.height > left else frame)
        left -= frame.height
        if left <= 0:
            break
    gathered.cut |= left < 0
