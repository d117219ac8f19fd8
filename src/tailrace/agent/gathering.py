"""What goes into the next batch: frames of turns, what they were made of, and how far the sources are after them.

Pure: no thread, no clock. The account of a batch is made of two columns that every frame has here, `_in_lines` and
`_in_bytes`: of how many lines and bytes of input a row was made. What the frames that go on hold is to be stored, what
a reduction dropped is reduced by a rule, and both are settled when the batch is durable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.agent.feed import Turn
    from tailrace.contracts import Reduced

IN_COLUMNS: Final = ("_in_lines", "_in_bytes")
"""Columns that say of how many lines and bytes of input a row was made; they end here."""

MADE: Final = "reduce"
"""Source of rows that a reduction made, and the name of its state in the checkpoint."""


@dataclass(slots=True)
class Share:
    """What a batch settles of one source: lines and bytes to be stored, and those that ended at each rule."""

    stored: tuple[int, int] = (0, 0)
    reduced: dict[str, tuple[int, int]] = field(default_factory=dict)

    def lines(self) -> int:
        """Return all lines, whatever becomes of them."""
        return self.stored[0] + sum(lines for lines, _ in self.reduced.values())

    def bytes(self) -> int:
        """Return all bytes, whatever becomes of them."""
        return self.stored[1] + sum(size for _, size in self.reduced.values())


@dataclass(slots=True)
class Gathering:
    """Turns on their way into the next batch."""

    frames: list[pl.DataFrame] = field(default_factory=list)
    marks: dict[str, dict[str, object]] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)
    source: str = ""  # whose rows are first
    read_s: dict[str, float] = field(default_factory=dict)  # when the oldest lines of each source were read
    lines: int = 0
    bytes: int = 0

    def add(self, turn: Turn, reduced: Reduced) -> None:
        """Take in a turn: its position, what is left of its rows, and what was dropped."""
        self.mark(turn.marks)
        self.lines += turn.lines
        self.bytes += turn.bytes
        if turn.lines:
            self.read_s.setdefault(turn.source, turn.read_s)
        self.rows(turn.source, reduced)

    def rows(self, source: str, reduced: Reduced) -> None:
        """Take in rows, and what was dropped to get them."""
        share = self.shares.setdefault(source, Share())
        for rule, lines, size in reduced.dropped:
            if not lines:  # rows that the reduction had made itself
                continue
            before = share.reduced.get(rule, (0, 0))
            share.reduced[rule] = (before[0] + lines, before[1] + size)
        if reduced.frame.height:
            self.source = self.source or source
            lines, size = reduced.frame.select(pl.col(IN_COLUMNS).sum()).row(0)
            share.stored = (share.stored[0] + lines, share.stored[1] + size)
            self.frames.append(reduced.frame.drop(IN_COLUMNS))

    def mark(self, marks: Mapping[str, Mapping[str, object]]) -> None:
        """Take in changes of positions."""
        for name, changes in marks.items():
            if changes:
                self.marks.setdefault(name, {}).update(changes)

    def frame(self) -> pl.DataFrame:
        """Return all rows, in the order in which they came."""
        return stack(self.frames)

    def input(self) -> tuple[int, int]:
        """Return the lines and bytes that the rows were made of."""
        stored = [share.stored for share in self.shares.values()]
        return sum(lines for lines, _ in stored), sum(size for _, size in stored)

    def something(self) -> bool:
        """Tell whether there is anything but positions: lines, whatever became of them, or news of the reduction."""
        return bool(self.frames or self.lines or MADE in self.marks)

    def full(self, most_bytes: int = limits.COMMIT_BYTES) -> bool:
        """Tell whether it should not grow any more."""
        return self.lines >= limits.COMMIT_ROWS or self.bytes >= most_bytes
