"""`| keep a, b="x"`: removes all labels but those listed, where they match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tailrace.query.stages.picks import Pick, check_picks, parse_picks

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source


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

    def __str__(self) -> str:
        return f"| keep {', '.join(map(str, self.picks))}"
