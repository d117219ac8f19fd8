"""`|= "x"`, `!= "x"`, `|~ "re"`, `!~ "re"`: keeps lines that contain, or match, one of the needles, or none of them."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, cast

import narwhals as nw

from tailrace.query import regexes
from tailrace.query.lexer import quote
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan

LineOp: TypeAlias = Literal["|=", "!=", "|~", "!~"]

OPS: Final = ("|=", "!=", "|~", "!~")
_PATTERNS: Final = ("|>", "!>")


@dataclass(frozen=True, slots=True)
class Needle:
    """A text or regex to look for."""

    text: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Keeps lines with any needle (`|=`, `|~`) or with no needle at all (`!=`, `!~`); not anchored."""

    keyword: ClassVar[str] = ""
    op: LineOp
    needles: tuple[Needle, ...]
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> LineFilter:
        """Read the operator and its needles."""
        op = cursor.next()
        if op.text in _PATTERNS:
            hint = "use `|~`" if op.text == "|>" else "use `!~`"
            raise cursor.error(f"the pattern filter {op} is LogQL, but not in this version of Tailrace", op, hint)
        needles = [_needle(cursor, str(op))]
        while cursor.accept_word("or"):
            needles.append(_needle(cursor, "`or`"))
        return cls(cast("LineOp", op.text), tuple(needles), op.at)  # one of OPS: the parser came here by it

    def check(self, source: Source) -> None:
        """Refuse a regex that cannot run."""
        if self.op in ("|~", "!~"):
            for needle in self.needles:
                regexes.check(needle.text, needle.at, source)

    def needs(self, after: Needs) -> Needs:
        """Read the line."""
        return after.plus(line=True)

    def push(self, scan: Scan, after: Needs) -> bool:  # noqa: ARG002 - lines are dropped for whoever comes after
        """Search the stored line, unless an earlier stage changed it."""
        return scan.where_line(self._condition(), str(self))

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Keep the rows whose line passes."""
        kept = nw.from_native(rows.frame).filter(self._condition())
        return Rows(kept.to_native())

    def _condition(self) -> nw.Expr:
        literal = self.op in ("|=", "!=")
        line = nw.col("_line")
        texts = [needle.text if literal else regexes.searching(needle.text) for needle in self.needles]
        found = [line.str.contains(text, literal=literal) for text in texts]
        anywhere = reduce(operator.or_, found)
        return anywhere if self.op in ("|=", "|~") else ~anywhere

    def __str__(self) -> str:
        return f"{self.op} {' or '.join(quote(needle.text) for needle in self.needles)}"


def _needle(cursor: Cursor, after: str) -> Needle:
    if cursor.at_word("ip") and cursor.peek().text == "(":
        raise cursor.error("`ip()` is LogQL, but not in this version of Tailrace")
    token = cursor.expect_string(after)
    return Needle(str(token.value), token.at)
