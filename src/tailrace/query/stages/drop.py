"""`| drop a, b="x"`: removes labels, or those whose values match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tailrace.query.matching import matches
from tailrace.query.rows import ERRORS
from tailrace.query.stages.picks import Pick, check_picks, parse_picks
from tailrace.query.syntax import Matcher

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows


@dataclass(frozen=True, slots=True)
class Drop:
    """Removes the listed labels; a matcher removes its label where it holds."""

    keyword: ClassVar[str] = "drop"
    picks: tuple[Pick, ...]
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Drop:
        """Read the stage."""
        at = cursor.next().at
        return cls(parse_picks(cursor, "`drop`"), at)

    def check(self, source: Source) -> None:
        """Refuse a regex that cannot run."""
        check_picks(self.picks, source)

    def needs(self, after: Needs) -> Needs:
        """Read the labels whose removal depends on their value."""
        if not after.labels:
            return after
        return after.plus(frozenset(pick.name for pick in self.picks if isinstance(pick, Matcher)))

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless nobody reads what goes: errors are read by every metric query."""
        errors = [pick for pick in self.picks if (pick if isinstance(pick, str) else pick.name) in ERRORS]
        idle = not (scan.may_fail and errors) and (not after.labels or len(errors) == len(self.picks))
        scan.labels_changed |= not idle
        return idle

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Remove the labels."""
        for pick in self.picks:
            if isinstance(pick, Matcher):
                rows = rows.without(pick.name, matches(pick, rows.label(pick.name)))
            else:
                rows = rows.without(pick)
        return rows

    def __str__(self) -> str:
        return f"| drop {', '.join(map(str, self.picks))}"
