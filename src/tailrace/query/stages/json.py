"""`| json`: labels from a line that is a JSON object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source


@dataclass(frozen=True, slots=True)
class Json:
    """Reads the line as a JSON object; nested names are joined by `_`."""

    keyword: ClassVar[str] = "json"
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Json:
        """Read the stage."""
        at = cursor.next().at
        if cursor.token.kind in ("name", "flag"):
            raise cursor.error(
                "`json` with parameters is LogQL, but not in this version of Tailrace",
                hint="all members become labels; use `| keep` to choose",
            )
        return cls(at)

    def check(self, source: Source) -> None:
        """Accept it: there is nothing to be wrong."""

    def __str__(self) -> str:
        return "| json"
