"""What each parser did and what it cost: lines that fit and that did not, and seconds.

Comes in: a parser. Goes out: the same parser, `Metered`. In a list of formats each member counts for itself, so the
share of lines that a pattern takes, and the time that it takes for those it does not, can be seen. Counted per call,
never per line.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from tailrace.contracts import Parser, Reading


@dataclass(frozen=True, slots=True)
class Work:
    """What a parser did: lines by result, seconds of elapsed time."""

    matched: int = 0
    unmatched: int = 0
    seconds: float = 0.0


class Tally:
    """The work of parsers by name; parsers of all threads report here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: dict[str, Work] = {}

    def add(self, parser: str, matched: int, unmatched: int, seconds: float) -> None:
        """Count one call."""
        with self._lock:
            sum_ = self._work.get(parser, Work())
            self._work[parser] = Work(sum_.matched + matched, sum_.unmatched + unmatched, sum_.seconds + seconds)

    def take(self) -> dict[str, Work]:
        """Return what was done since the last time."""
        with self._lock:
            work, self._work = self._work, {}
        return work


class Metered:
    """A parser whose work is counted."""

    def __init__(self, parser: Parser, tally: Tally) -> None:
        self.name = parser.name
        self._parser = parser
        self._tally = tally

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:
        """Return what the parser returns."""
        began = time.perf_counter()
        frame = self._parser.parse(lines, reading, data)
        seconds = time.perf_counter() - began
        wrong = unfit(frame)
        unmatched = 0 if wrong is None else int(wrong.sum())
        self._tally.add(self.name, len(frame) - unmatched, unmatched, seconds)
        return frame


def unfit(frame: pl.DataFrame) -> pl.Series | None:
    """Return the rows that did not fit their parser, None if all did.

    A row with an error and a format fits: it matched, though a value in it is wrong.
    """
    if "_error" not in frame.columns or frame["_error"].null_count() == len(frame):
        return None
    wrong = frame["_error"].is_not_null()
    return wrong & frame["_format"].is_null() if "_format" in frame.columns else wrong
