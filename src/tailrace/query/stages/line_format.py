"""`| line_format "template"`: replaces the line by what a Go template makes of the labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tailrace.errors import QueryError
from tailrace.query.lexer import quote
from tailrace.query.template import compile_template

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source


@dataclass(frozen=True, slots=True)
class LineFormat:
    """Replaces the line; a missing label prints as nothing, an empty result is an empty line."""

    keyword: ClassVar[str] = "line_format"
    template: str
    at: int = field(default=0, compare=False, repr=False)
    value_at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> LineFormat:
        """Read the stage."""
        at = cursor.next().at
        token = cursor.expect_string("`line_format`", 'for example | line_format "{{.level}} {{.msg}}"')
        return cls(str(token.value), at, token.at)

    def check(self, source: Source) -> None:
        """Refuse a template that does not compile."""
        try:
            compile_template(self.template)
        except QueryError as error:
            at = source.inside(self.value_at, error.position or 0)
            raise source.error(error.what, at, error.hint) from None

    def __str__(self) -> str:
        return f"| line_format {quote(self.template)}"
