"""`| line_format "template"`: replaces the line by what a Go template makes of the labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from tailrace.errors import QueryError
from tailrace.query.lexer import quote
from tailrace.query.rendered import render_lines
from tailrace.query.template import compile_template

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan
    from tailrace.query.rows import Rows


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

    def needs(self, after: Needs) -> Needs:
        """Read what the template reads; the old line only if it names it, or may be left with it."""
        template = compile_template(self.template)
        keeps = template.reads_line or template.simple is None
        return replace(after, line=False).plus(template.labels, line=keeps, every=template.every)

    def push(self, scan: Scan, after: Needs) -> bool:
        """Leave it to the rows, unless nothing reads the line and nothing can fail."""
        scan.line_changed = True
        template = compile_template(self.template)
        simple = template.simple is not None
        scan.may_fail |= not simple
        # What a template reads behind a parser must be parsed, and may fail there, though nobody reads the line.
        return not after.line and simple and not (scan.labels_changed and template.labels)

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Replace the line."""
        template = compile_template(self.template)
        if template.simple is None:
            return render_lines(rows, template)
        parts = [
            pl.lit(piece) if isinstance(piece, str) else rows.label(piece.name).fill_null("")
            for piece in template.simple
        ]
        return rows.with_line(pl.concat_str(parts) if parts else pl.lit(""))

    def __str__(self) -> str:
        return f"| line_format {quote(self.template)}"
