"""What `keep` and `drop` list: label names, or matchers that must hold for the value."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from tailrace.query import matchers
from tailrace.query.syntax import Matcher

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source

Pick: TypeAlias = str | Matcher


def parse_picks(cursor: Cursor, after: str) -> tuple[Pick, ...]:
    """Read one name or matcher, or several with commas between."""
    picks = [_pick(cursor, after)]
    while cursor.accept_op(","):
        picks.append(_pick(cursor, "`,`"))
    return tuple(picks)


def _pick(cursor: Cursor, after: str) -> Pick:
    following = cursor.peek()
    if cursor.token.kind == "name" and following.kind == "op" and following.text in (*matchers.OPS, "=="):
        return matchers.parse_matcher(cursor)
    return cursor.expect_name(after=after).text


def check_picks(picks: tuple[Pick, ...], source: Source) -> None:
    """Refuse matchers whose regex cannot run."""
    for pick in picks:
        if isinstance(pick, Matcher):
            matchers.check_matcher(pick, source)
