"""Line filters: `|= "x"`, `|~ "re"` and `|> "<_> x"` keep lines with one of the needles, `!=`, `!~`, `!>` with none."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, cast

import narwhals as nw
import polars as pl

from tailrace.patterns import capture
from tailrace.query import addresses, line_patterns, portable_regexes, regexes
from tailrace.query.lexer import quote
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan

LineOp: TypeAlias = Literal["|=", "!=", "|~", "!~", "|>", "!>"]

OPS: Final = ("|=", "!=", "|~", "!~", "|>", "!>")
_KEEPING: Final = ("|=", "|~", "|>")
_LITERAL: Final = ("|=", "!=")
_PATTERNS: Final = ("|>", "!>")
_PLAIN: Final = re.compile(r"[A-Za-z0-9_ /-]+(\|[A-Za-z0-9_ /-]+)*")


@dataclass(frozen=True, slots=True)
class Needle:
    """A text, regex or pattern to look for; or a set of addresses."""

    text: str
    ip: bool = False
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"ip({quote(self.text)})" if self.ip else quote(self.text)


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Keeps lines with any needle, or with no needle at all (`!=`, `!~`, `!>`); not anchored."""

    keyword: ClassVar[str] = ""
    op: LineOp
    needles: tuple[Needle, ...]
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> LineFilter:
        """Read the operator and its needles."""
        op = cursor.next()
        needles = [_needle(cursor, op.text, str(op))]
        while cursor.accept_word("or"):
            needles.append(_needle(cursor, op.text, "`or`"))
        return cls(cast("LineOp", op.text), tuple(needles), op.at)  # one of OPS: the parser came here by it

    def check(self, source: Source) -> None:
        """Refuse a regex that cannot run, a pattern with names, and a text that is no set of addresses."""
        for needle in self.needles:
            if needle.ip and addresses.bounds(needle.text) is None:
                hint = "one address, a range a-b, or a network such as 10.0.0.0/8"
                raise source.error(f"{quote(needle.text)} is no set of addresses", needle.at, hint)
            if self.op in ("|~", "!~"):
                regexes.check(needle.text, needle.at, source)
            if self.op in _PATTERNS:
                _check_pattern(needle, source)

    def needs(self, after: Needs) -> Needs:
        """Read the line."""
        return after.plus(line=True)

    def push(self, scan: Scan, after: Needs) -> bool:  # noqa: ARG002 - lines are dropped for whoever comes after
        """Search the stored line, unless an earlier stage changed it; patterns and addresses by what they hold."""
        if self.op not in _PATTERNS and not any(needle.ip for needle in self.needles):
            return scan.where_line(self._condition(), str(self), self._wanted(), self._patterns())
        if self.op == "|>" and len(self.needles) == 1:
            literals = [part.text for part in capture.parts(self.needles[0].text) if not part.capture]
            for text in literals:
                scan.where_line(nw.col("_line").str.contains(text, literal=True), f"{self} (widened)", [text])
        return False

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Keep the rows whose line passes."""
        if self.op in _PATTERNS or any(needle.ip for needle in self.needles):
            line = rows.frame["_line"]
            found = reduce(operator.or_, [self._holds(line, needle) for needle in self.needles])
            return rows.where(pl.lit(found if self.op in _KEEPING else ~found))
        kept = nw.from_native(rows.frame).filter(self._condition())
        return Rows(kept.to_native())

    def _holds(self, line: pl.Series, needle: Needle) -> pl.Series:
        if needle.ip:
            return addresses.holds(line, needle.text)
        if self.op in _PATTERNS:
            return line_patterns.holds(line, capture.parts(needle.text))
        return line.str.contains(needle.text, literal=True)

    def _wanted(self) -> list[str]:
        """Return texts of which every line that passes has one; none if that cannot be said."""
        texts = [needle.text for needle in self.needles]
        if self.op == "|~" and all(map(_PLAIN.fullmatch, texts)):
            return [text for alternatives in texts for text in alternatives.split("|")]
        return texts if self.op == "|=" else []

    def _patterns(self) -> list[str]:
        return [] if self.op in _LITERAL else [regexes.searching(needle.text) for needle in self.needles]

    def _condition(self) -> nw.Expr:
        literal = self.op in _LITERAL
        line = nw.col("_line")
        patterns = map(portable_regexes.pushed, self._patterns())
        texts = [needle.text for needle in self.needles] if literal else [*patterns]
        found = [line.str.contains(text, literal=literal) for text in texts]
        anywhere = reduce(operator.or_, found)
        return anywhere if self.op in _KEEPING else ~anywhere

    def __str__(self) -> str:
        return f"{self.op} {' or '.join(map(str, self.needles))}"


def _needle(cursor: Cursor, op: str, after: str) -> Needle:
    if not (cursor.at_word("ip") and cursor.peek().text == "("):
        token = cursor.expect_string(after)
        return Needle(str(token.value), at=token.at)
    if op not in _LITERAL:
        raise cursor.error(f"`ip()` stands after `|=` and `!=` only, not after `{op}`")
    return Needle(*parse_ip(cursor))


def parse_ip(cursor: Cursor) -> tuple[str, bool, int]:
    """Read `ip("…")`; returns the text, true, and its place."""
    cursor.next()
    cursor.expect_op("(", "`ip`")
    token = cursor.expect_string("`ip(`", 'for example ip("10.0.0.0/8")')
    cursor.expect_op(")", "the addresses")
    return str(token.value), True, token.at


def _check_pattern(needle: Needle, source: Source) -> None:
    found = capture.parts(needle.text)
    named = next((part for part in found if part.named), None)
    if named:
        at = source.inside(needle.at, named.at)
        raise source.error("a pattern filter has no named captures", at, "write <_>; | pattern takes them out")
    for before, part in pairwise(found):
        if before.capture and part.capture:
            at = source.inside(needle.at, part.at)
            raise source.error("two captures in a row", at, "one <_> is enough")
