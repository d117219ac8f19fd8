"""`| drop a, b="x"`: removes labels, or those whose values match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tailrace.query.stages.picks import Pick, check_picks, parse_picks

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source


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

    def __str__(self) -> str:
        return f"| drop {', '.join(map(str, self.picks))}"
