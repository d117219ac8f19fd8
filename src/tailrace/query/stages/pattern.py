"""`| pattern "<ip> - <_> …"`: labels from text between literals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from tailrace.patterns import capture
from tailrace.query import line_patterns
from tailrace.query.lexer import quote
from tailrace.query.stages.named import Named

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.rows import Rows


@dataclass(frozen=True, slots=True)
class Pattern(Named):
    """Takes captures from the start of the line on; where a literal is missing the capture before it gets the rest."""

    keyword: ClassVar[str] = "pattern"
    pattern: str
    at: int = field(default=0, compare=False, repr=False)
    value_at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Pattern:
        """Read the stage."""
        at = cursor.next().at
        token = cursor.expect_string("`pattern`", 'for example | pattern "<ip> - <_> <status>"')
        return cls(str(token.value), at, token.at)

    @property
    def names(self) -> list[str]:
        """The names of the captures, in order."""
        return [part.text for part in capture.parts(self.pattern) if part.named]

    def check(self, source: Source) -> None:
        """Refuse a pattern without a name, with one twice, or with captures that touch."""
        error = capture.refuse(capture.parts(self.pattern))
        if error:
            at = self.value_at if error.column is None else source.inside(self.value_at, error.column - 1)
            raise source.error(f"invalid pattern: {error.what}", at)

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Add a label per capture."""
        found = line_patterns.extract(rows.frame["_line"], capture.parts(self.pattern))
        return rows.with_parsed(pl.DataFrame({name: found[name] for name in self.wanted(after)}))

    def __str__(self) -> str:
        return f"| pattern {quote(self.pattern)}"
