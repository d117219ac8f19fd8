"""`| logfmt`: labels from the `key=value` pairs of a line."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source


@dataclass(frozen=True, slots=True)
class Logfmt:
    """Reads the line as `key=value` pairs."""

    keyword: ClassVar[str] = "logfmt"
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Logfmt:
        """Read the stage."""
        at = cursor.next().at
        if cursor.token.kind in ("name", "flag"):
            raise cursor.error(
                "`logfmt` with parameters is LogQL, but not in this version of Tailrace",
                hint="all pairs become labels; use `| keep` to choose",
            )
        return cls(at)

    def check(self, source: Source) -> None:
        """Accept it: there is nothing to be wrong."""

    def __str__(self) -> str:
        return "| logfmt"
