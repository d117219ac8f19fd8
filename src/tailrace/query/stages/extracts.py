"""What `json` and `logfmt` are told to take out: `label="where"`, or a lone label that is its own place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.query.cursor import RESERVED
from tailrace.query.lexer import quote

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor


@dataclass(frozen=True, slots=True)
class Extract:
    """One label, and where its value stands in the line."""

    label: str
    place: str
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return self.label if self.place == self.label else f"{self.label}={quote(self.place)}"


def parse_extracts(cursor: Cursor) -> tuple[Extract, ...]:
    """Read a list of extracts, which may be missing."""
    if cursor.token.kind != "name" or cursor.token.word in RESERVED:
        return ()
    found = [_extract(cursor)]
    while cursor.accept_op(","):
        found.append(_extract(cursor))
    return tuple(found)


def _extract(cursor: Cursor) -> Extract:
    name = cursor.expect_name(after="`,`")
    if not cursor.accept_op("="):
        return Extract(name.text, name.text, name.at)
    place = cursor.expect_string("`=`")
    return Extract(name.text, str(place.value), place.at)
