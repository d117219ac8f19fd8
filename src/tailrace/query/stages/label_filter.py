"""`| level="error" and status >= 500`: keeps lines whose labels pass a test.

A condition is a tree of `All` and `AnyOf` over tests: `Matcher` compares text, `Comparison` reads the
label as a number, duration or byte count (rules: `query.literals`). `and`, `,` and a space mean the
same and bind tighter than `or`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, cast

import polars as pl

from tailrace.query import matchers
from tailrace.query.addresses import bounds
from tailrace.query.lexer import quote
from tailrace.query.literals import write_bytes, write_duration, write_number
from tailrace.query.rows import Rows
from tailrace.query.stages.line_filter import parse_ip
from tailrace.query.syntax import Matcher

if TYPE_CHECKING:
    from tailrace.query.cursor import Cursor, Source
    from tailrace.query.lexer import Token
    from tailrace.query.needs import Needs
    from tailrace.query.pushdown import Scan

Measure: TypeAlias = Literal["number", "duration", "bytes"]
CompareOp: TypeAlias = Literal["==", "!=", ">", ">=", "<", "<="]

_ORDER: Final = (">", ">=", "<", "<=")
_COMPARE: Final = ("=", "==", "!=", ">", ">=", "<", "<=")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A test of a label read as a quantity; `value` is a number, nanoseconds or bytes, as `measure` says."""

    name: str
    op: CompareOp
    value: float
    measure: Measure
    at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name} {self.op} {self._literal()}"

    def _literal(self) -> str:
        if self.measure == "number":
            return write_number(self.value)
        return write_duration(int(self.value)) if self.measure == "duration" else write_bytes(int(self.value))


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; at least two parts, none of them an `All`."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part holds; at least two parts, none of them an `AnyOf`."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Inside:
    """A test whether a label's text holds an address of a set."""

    name: str
    op: Literal["=", "!="]
    addresses: str
    at: int = field(default=0, compare=False, repr=False)
    value_at: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name}{self.op}ip({quote(self.addresses)})"


Test: TypeAlias = Matcher | Comparison | Inside
Condition: TypeAlias = Test | All | AnyOf


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Keeps lines that pass the condition."""

    keyword: ClassVar[str] = ""
    condition: Condition
    at: int = field(default=0, compare=False, repr=False)

    @classmethod
    def parse(cls, cursor: Cursor) -> LabelFilter:
        """Read the condition."""
        at = cursor.token.at
        return cls(_any(cursor), at)

    def check(self, source: Source) -> None:
        """Refuse a regex that cannot run."""
        for test in tests(self.condition):
            if isinstance(test, Matcher):
                matchers.check_matcher(test, source)
            if isinstance(test, Inside) and bounds(test.addresses) is None:
                hint = "one address, a range a-b, or a network such as 10.0.0.0/8"
                raise source.error(f"{quote(test.addresses)} is no set of addresses", test.value_at, hint)

    def needs(self, after: Needs) -> Needs:
        """Read the tested labels."""
        return after.plus(frozenset(test.name for test in tests(self.condition)))

    def push(self, scan: Scan, after: Needs) -> bool:  # noqa: ARG002 - lines are dropped for whoever comes after
        """Test typed columns where they decide, or bound what is read."""
        return scan.where_labels(self.condition)

    def apply(self, rows: Rows, after: Needs) -> Rows:  # noqa: ARG002 - the stage makes no labels
        """Keep the rows that pass, and mark those that could not be converted."""
        from tailrace.query.conditions import judge  # it reads this module's tree

        verdict = judge(self.condition, rows)
        marked = Rows(rows.frame.with_columns(_passes=verdict.passes, _failed=verdict.failed)).where(pl.col("_passes"))
        if marked.frame["_failed"].any():
            marked = marked.with_error(
                pl.col("_failed"), "LabelFilterErr", f"a label of `{self.condition}` does not convert"
            )
        return Rows(marked.frame.drop("_passes", "_failed"))

    def __str__(self) -> str:
        return f"| {self.condition}"


def tests(condition: Condition) -> list[Test]:
    """Return the tests of a condition, left to right."""
    if isinstance(condition, All | AnyOf):
        return [test for part in condition.parts for test in tests(part)]
    return [condition]


def _any(cursor: Cursor) -> Condition:
    parts = [_all(cursor)]
    while cursor.accept_word("or"):
        parts.append(_all(cursor))
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, AnyOf) else (part,))]
    return AnyOf(tuple(flat)) if len(flat) > 1 else flat[0]


def _all(cursor: Cursor) -> Condition:
    parts = [_atom(cursor)]
    while _another(cursor):
        parts.append(_atom(cursor))
    flat = [inner for part in parts for inner in (part.parts if isinstance(part, All) else (part,))]
    return All(tuple(flat)) if len(flat) > 1 else flat[0]


def _another(cursor: Cursor) -> bool:
    """Step over `and` or `,`; tell whether another atom follows, as it does after a bare space too."""
    if cursor.accept_word("and") or cursor.accept_op(","):
        return True
    return cursor.at_op("(") or (cursor.token.kind == "name" and not cursor.at_word("or", "unless"))


def _atom(cursor: Cursor) -> Condition:
    if cursor.accept_op("("):
        with cursor.nested():
            condition = _any(cursor)
        cursor.expect_op(")", "the condition")
        return condition
    op, value = cursor.peek(), cursor.peek(2)
    if value.kind == "string" and op.text in _ORDER:
        hint = "write it without quotes"
        raise cursor.error(f"text has no order: {op} needs a number, duration or byte count", op, hint)
    if value.kind == "string":
        return matchers.parse_matcher(cursor)
    name = cursor.expect_name()
    accepted = cursor.accept_op(*_COMPARE)
    if accepted is None:
        if cursor.at_op("=~", "!~"):
            raise cursor.error(f"{cursor.token} needs a regular expression in quotes", cursor.peek())
        hint = 'compare it, as in `level="error"` or `status >= 500`'
        raise cursor.error(f"expected a comparison after {name}, found {cursor.token}", hint=hint)
    return _comparison(cursor, name, accepted)


def _comparison(cursor: Cursor, name: Token, op: Token) -> Comparison | Inside:
    if cursor.at_word("ip") and cursor.peek().text == "(":
        if op.text not in ("=", "!="):
            raise cursor.error(f"`ip()` is compared by `=` and `!=` only, not by {op}", op)
        text, _, value_at = parse_ip(cursor)
        return Inside(name.text, "=" if op.text == "=" else "!=", text, name.at, value_at)
    sign = cursor.accept_op("-", "+")
    token = cursor.token
    if token.kind not in ("number", "duration", "bytes") or (sign and token.kind == "bytes"):
        hint = f'put it in quotes: "{token.text}"' if token.kind == "name" else ""
        hint = "a byte count has no sign" if token.kind == "bytes" else hint
        raise cursor.error(f"expected a string, number, duration or byte count after {op}, found {token}", hint=hint)
    cursor.next()
    value = cast("float", token.value)  # a string was sorted out by its kind
    compare = "==" if op.text == "=" else op.text
    return Comparison(
        name.text,
        cast("CompareOp", compare),  # one of _COMPARE
        -value if sign and sign.text == "-" else value,
        token.kind,
        name.at,
    )
