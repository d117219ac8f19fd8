"""`| keep a, b="x"`: removes all labels but those listed, where they match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from tailrace.query.matching import matches
from tailrace.query.needs import Needs
from tailrace.query.rows import ERRORS
from tailrace.query.stages.picks import Pick, check_picks, parse_picks
from tailrace.query.syntax import Matcher

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows


@dataclass(frozen=True, slots=True)
class Keep:
    """Keeps the listed labels only; a matcher keeps its label where it holds. Errors stay."""

    keyword: ClassVar[str] = "keep"
    picks: tuple[Pick, ...]
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Keep:
        """Read the stage."""
        at = cursor.next().at
        return cls(parse_picks(cursor, "`keep`"), at)

    def check(self, source: Source) -> None:
        """Refuse a regex that cannot run."""
        check_picks(self.picks, source)

    def needs(self, after: Needs) -> Needs:
        """Read the labels whose keeping depends on their value, and of the others those that are kept."""
        if not after.labels:
            return after
        tested = frozenset(pick.name for pick in self.picks if isinstance(pick, Matcher))
        kept = frozenset(pick if isinstance(pick, str) else pick.name for pick in self.picks)
        return Needs(
            names=tested | (kept if after.every else kept & after.names) | (ERRORS if after.labels else frozenset()),
            line=after.line,
            parses=after.parses,
            owners=after.parses,
        )

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless no label is wanted."""
        scan.labels_changed |= after.labels
        return not after.labels

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Remove the labels that are not listed."""
        always = {pick for pick in self.picks if isinstance(pick, str)} | ERRORS
        for name in rows.names():
            if name in always:
                continue
            tests = [
                matches(pick, rows.label(name))
                for pick in self.picks
                if isinstance(pick, Matcher) and pick.name == name
            ]
            rows = rows.without(name, ~pl.any_horizontal(tests)) if tests else rows.without(name)
        return rows

    def __str__(self) -> str:
        return f"| keep {', '.join(map(str, self.picks))}"
