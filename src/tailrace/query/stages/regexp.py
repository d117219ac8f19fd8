"""`| regexp "…"`: labels from the named groups of a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from tailrace.query import regexes
from tailrace.query.lexer import quote
from tailrace.query.stages.named import Named

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.rows import Rows

_GROUP: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?<(?P<name>[^>=!]+)>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Regexp(Named):
    """Takes the first match anywhere in the line; a line that does not match is left alone."""

    keyword: ClassVar[str] = "regexp"
    pattern: str
    at: int = field(default=0, compare=False, repr=False)
    value_at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> Regexp:
        """Read the stage."""
        at = cursor.next().at
        token = cursor.expect_string("`regexp`", 'for example | regexp "status=(?P<status>[0-9]+)"')
        return cls(str(token.value), at, token.at)

    @property
    def names(self) -> list[str]:
        """The names of the groups, in order."""
        return [match["name"] for match in _GROUP.finditer(self.pattern) if match["name"]]

    def check(self, source: Source) -> None:
        """Refuse a regex that cannot run, or that names no group or one twice."""
        regexes.check(self.pattern, self.value_at, source)
        names = self.names
        if not names:
            raise source.error("`regexp` needs at least one named group", self.value_at, "as in (?P<status>[0-9]+)")
        for index, name in enumerate(names):
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                hint = "letters, digits and '_', not a digit first"
                raise source.error(f"{name!r} cannot name a label", self.value_at, hint)
            if name in names[:index]:
                raise source.error(f"the group {name!r} is there twice", self.value_at, "give each a name of its own")

    def apply(self, rows: Rows, after: Needs) -> Rows:
        """Add a label per group; one that took no part in the match is there, and empty."""
        wanted = self.wanted(after)
        pattern = regexes.searching(self.pattern)
        line = pl.col("_line")
        groups = line.str.extract_groups(pattern)
        matched = line.str.contains(pattern)
        found = rows.frame.select(
            pl.when(matched).then(groups.struct.field(name).fill_null("")).alias(name) for name in wanted
        )
        return rows.with_parsed(found)

    def __str__(self) -> str:
        return f"| regexp {quote(self.pattern)}"
