"""A rule's tree as a Polars expression over the columns that a frame has.

What a comparison means is said by the rule, never by the type that a column happens to have in one frame: fields come
and go, and the same field is numbers in one frame and text in the next. Held against a number, a value is read as a
number (text that is none is null). Held against text, it is read as text: whole numbers without a point, `true` and
`false`. A column that is not there is null. Two columns are compared as numbers where both are, else as text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce as fold
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from tailrace.reduce import rule_tree as tree
from tailrace.reduce.rule_tree import RuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Find = Callable[[tree.Name], "Typed"]

Kind = Literal["number", "text", "bool", "time", "null"]

_EXACT: Final = 2.0**53  # whole numbers up to here print as such from a float


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression and what its values are; `time` is Int64 nanoseconds, `whole` says that numbers are integers."""

    expr: pl.Expr
    kind: Kind
    whole: bool = False


NOTHING: Final = Typed(pl.lit(None), "null")


def of_column(expr: pl.Expr, dtype: pl.DataType) -> Typed:
    """Return a column as a value; bytes, which may be no text, as their hexadecimal digits."""
    if dtype == pl.Binary:
        return Typed(expr.bin.encode("hex"), "text")
    if dtype.is_float():
        return Typed(expr.fill_nan(None), "number")
    if dtype.is_integer():
        return Typed(expr, "number", whole=True)
    if dtype == pl.Boolean:
        return Typed(expr, "bool")
    if dtype == pl.Null:
        return NOTHING
    return Typed(expr if dtype == pl.String else expr.cast(pl.String, strict=False), "text")


def either(first: Typed, second: Typed) -> Typed:
    """Return the first where it is not null, else the second; as text, should they differ in kind."""
    if "null" in {first.kind, second.kind}:
        return second if first.kind == "null" else first
    if first.kind == second.kind:
        return Typed(pl.coalesce(first.expr, second.expr), first.kind)
    return Typed(pl.coalesce(as_text(first), as_text(second)), "text")


def as_number(value: Typed) -> pl.Expr:
    """Return a value read as a number; null where it is none."""
    match value.kind:
        case "number" | "time":
            return value.expr
        case "text":
            return value.expr.cast(pl.Float64, strict=False).fill_nan(None)
        case _:
            return pl.lit(None, pl.Float64)


def as_text(value: Typed) -> pl.Expr:
    """Return a value read as text: `200.0` is `200`, as it would be in a frame without fractions."""
    match value.kind:
        case "text":
            return value.expr
        case "null":
            return pl.lit(None, pl.String)
        case "number" if not value.whole:
            expr = value.expr
            whole = (expr == expr.floor()) & (expr.abs() < _EXACT)
            plain = expr.cast(pl.Int64, strict=False).cast(pl.String)
            return pl.when(whole).then(plain).otherwise(expr.cast(pl.String))
        case _:
            return value.expr.cast(pl.String)


def as_bool(value: Typed) -> pl.Expr:
    """Return a value read as true or false: null unless it is one of them, as a switch or a word."""
    match value.kind:
        case "bool":
            return value.expr
        case "text":
            word = value.expr.str.to_lowercase()
            return pl.when(word == "true").then(pl.lit(True)).when(word == "false").then(pl.lit(False))
        case _:
            return pl.lit(None, pl.Boolean)


def condition(node: tree.Node, find: Find) -> pl.Expr:  # noqa: PLR0911  one answer per kind of node
    """Return a tree as a condition: true, false, or null where it cannot be told."""
    match node:
        case tree.And(parts):
            return fold(lambda a, b: a & b, [condition(part, find) for part in parts])
        case tree.Or(parts):
            return fold(lambda a, b: a | b, [condition(part, find) for part in parts])
        case tree.Not(of):
            return condition(of, find).not_()
        case tree.IsNull(of):
            return value(of, find).expr.is_null()
        case tree.Compare():
            return _compare(node, find)
        case tree.Match():
            return _match(node.kind, as_text(value(node.value, find)), node.pattern)
        case tree.In():
            return _in(node, find)
        case tree.Literal(literal, at) if not isinstance(literal, bool | None):
            raise RuleError(f"{literal!r} is no condition", at, "compare it with something")
        case tree.Arithmetic():
            raise RuleError("a sum is no condition", node.at, "compare it with something")
        case _:
            return as_bool(value(node, find))


def value(node: tree.Node, find: Find) -> Typed:
    """Return a tree as a value."""
    match node:
        case tree.Name():
            return find(node)
        case tree.Literal(literal):
            return _literal(literal)
        case tree.Call():
            return _call(node, find)
        case tree.Arithmetic(op, left, right):
            return _arithmetic(op, as_number(value(left, find)), as_number(value(right, find)))
        case _:
            return Typed(condition(node, find), "bool")


def _literal(literal: tree.Value) -> Typed:
    if literal is None:
        return NOTHING
    if isinstance(literal, bool):
        return Typed(pl.lit(literal), "bool")
    return Typed(pl.lit(literal), "text" if isinstance(literal, str) else "number")


def _compare(node: tree.Compare, find: Find) -> pl.Expr:
    left, right = value(node.left, find), value(node.right, find)
    literal = next((side.value for side in (node.right, node.left) if isinstance(side, tree.Literal)), None)
    if "time" in {left.kind, right.kind}:
        return _OPERATORS[node.op](_as_time(left, node.left, node.at), _as_time(right, node.right, node.at))
    if isinstance(literal, bool):
        if node.op not in {"=", "!="}:
            raise RuleError("true and false have no order", node.at, "write '=' or '!='")
        return _OPERATORS[node.op](as_bool(left), as_bool(right))
    if isinstance(literal, str):
        return _OPERATORS[node.op](as_text(left), as_text(right))
    if literal is not None or left.kind == right.kind == "number":
        return _OPERATORS[node.op](as_number(left), as_number(right))
    numbers = as_number(left), as_number(right)
    both = numbers[0].is_not_null() & numbers[1].is_not_null()
    by_text = _OPERATORS[node.op](as_text(left), as_text(right))
    return pl.when(both).then(_OPERATORS[node.op](*numbers)).otherwise(by_text)


def _as_time(side: Typed, node: tree.Node, at: int) -> pl.Expr:
    """Return nanoseconds; text that stands in the rule is read as a date."""
    if side.kind in {"time", "null"}:
        return side.expr.cast(pl.Int64)
    if isinstance(node, tree.Literal) and isinstance(node.value, str):
        return pl.lit(_moment(node.value, node.at), pl.Int64)
    raise RuleError("a time is compared with a date in quotes", at, "for example time >= '2026-01-31T12:00:00Z'")


def _moment(text: str, at: int) -> int:
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RuleError(f"{text!r} is no date", at, "write it as '2026-01-31T12:00:00Z'") from None
    whole = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + whole.microseconds * 1_000


def _in(node: tree.In, find: Find) -> pl.Expr:
    """Return one look-up in a set, when all items are of one kind; else one comparison each."""
    literals = [item.value for item in node.items]
    side = value(node.value, find)
    if side.kind != "time" and all(isinstance(literal, str) for literal in literals):
        return as_text(side).is_in(pl.Series(literals, dtype=pl.String).implode())
    numbers = [float(each) for each in literals if isinstance(each, int | float) and not isinstance(each, bool)]
    if side.kind != "time" and len(numbers) == len(literals) and max(map(abs, numbers)) < _EXACT:
        return as_number(side).cast(pl.Float64).is_in(pl.Series(numbers, dtype=pl.Float64).implode())
    tests = [_compare(tree.Compare("=", node.value, item, node.at), find) for item in node.items]
    return fold(lambda a, b: a | b, tests)


def _match(kind: str, text: pl.Expr, pattern: str) -> pl.Expr:
    match kind:
        case "prefix":
            return text.str.starts_with(pattern)
        case "suffix":
            return text.str.ends_with(pattern)
        case "contains":
            return text.str.contains(pattern, literal=True)
        case "regex":
            return text.str.contains(pattern)
    return _like(text, pattern, folded=kind == "ilike")


def _like(text: pl.Expr, pattern: str, *, folded: bool) -> pl.Expr:
    r"""Return SQL's LIKE: `%` is any text, `_` one character, `\` takes the meaning from the next one."""
    pieces = re.findall(r"\\.|%|_|[^%_\\]+|\\$", pattern, re.DOTALL)
    middle = "".join(pieces[1 if pieces[:1] == ["%"] else 0 : -1 if pieces[1:] and pieces[-1] == "%" else None])
    if not folded and not re.search(r"[%_\\]", middle):  # no regular expression for the usual ones
        before, after = pieces[:1] == ["%"], bool(pieces[1:]) and pieces[-1] == "%"
        if before and after:
            return text.str.contains(middle, literal=True)
        if before:
            return text.str.ends_with(middle)
        return text.str.starts_with(middle) if after else text == middle
    meaning = {"%": ".*", "_": "."}
    regex = "".join(meaning.get(p) or re.escape(p[1:] if p[0] == "\\" and p[1:] else p) for p in pieces)
    return text.str.contains(f"(?s{'i' if folded else ''})^(?:{regex})$")


def _arithmetic(op: str, left: pl.Expr, right: pl.Expr) -> Typed:
    """Return a sum; a division by zero is null."""
    match op:
        case "+":
            return Typed(left + right, "number")
        case "-":
            return Typed(left - right, "number")
        case "*":
            return Typed(left * right, "number")
        case "/":
            return Typed(pl.when(right != 0).then(left / right), "number")
    return Typed(pl.when(right != 0).then(left % right), "number")


def _call(node: tree.Call, find: Find) -> Typed:
    values = [value(argument, find) for argument in node.arguments]
    if node.name == "coalesce":
        return fold(either, values)
    if node.name == "substr":
        numbers = [_constant(argument) for argument in node.arguments[1:]]
        start, length = numbers[0], numbers[1] if numbers[1:] else None
        if start < 1 or (length is not None and length < 0):
            raise RuleError("substr counts characters from 1", node.at)
        return Typed(as_text(values[0]).str.slice(start - 1, length), "text")
    if node.name == "round":
        return Typed(as_number(values[0]).round(_constant(node.arguments[1]) if values[1:] else 0), "number")
    texts: Mapping[str, Callable[[pl.Expr], pl.Expr]] = {
        "lower": lambda text: text.str.to_lowercase(),
        "upper": lambda text: text.str.to_uppercase(),
        "trim": lambda text: text.str.strip_chars(),
    }
    if node.name in texts:
        return Typed(texts[node.name](as_text(values[0])), "text")
    if node.name == "length":
        return Typed(as_text(values[0]).str.len_chars().cast(pl.Int64), "number")
    number = as_number(values[0])
    return Typed({"abs": number.abs(), "floor": number.floor(), "ceil": number.ceil()}[node.name], "number")


def _constant(node: tree.Node) -> int:
    if isinstance(node, tree.Literal) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    raise RuleError("a whole number is expected here", getattr(node, "at", 0))


_OPERATORS: Final[Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
