"""The text of a rule as a tree: SQL's boolean expressions over one row.

Comes in: `status >= 500 and path like '/api/%'`. Goes out: the tree that `rule_values` makes an expression of. Refuses,
with the place and what to write instead, what looks beyond one row (subqueries, aggregates, windows) and what no
function of ours does. SQL's words are read in any case. Beside SQL's own spellings these are understood: `==`, `=~` and
`!~` with a regular expression, `&&`, `||` and `!`, `starts_with` between two values, and numbers as `0x1F` and `0o17`.

>>> parse("not path like '/api/%'")
Not(of=Match(kind='like', value=Name(text='path', exact=False, at=4), pattern='/api/%', at=9))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tailrace.errors import did_you_mean
from tailrace.limits import RULE_BYTES, RULE_DEPTH
from tailrace.patterns.regex import PatternError, groups_of
from tailrace.reduce.rule_tree import (
    And,
    Arithmetic,
    Call,
    Compare,
    In,
    IsNull,
    Literal,
    Match,
    Name,
    Node,
    Not,
    Or,
    RuleError,
    Value,
)
from tailrace.reduce.rule_words import Word, words

_FUNCTIONS: Final = {
    "lower": (1, 1),
    "upper": (1, 1),
    "trim": (1, 1),
    "length": (1, 1),
    "substr": (2, 3),
    "abs": (1, 1),
    "floor": (1, 1),
    "ceil": (1, 1),
    "round": (1, 2),
    "coalesce": (1, 16),
    "starts_with": (2, 2),
    "ends_with": (2, 2),
    "contains": (2, 2),
    "regexp_like": (2, 2),
}
"""Functions of a rule, with the fewest and the most values that they take."""

_BEYOND: Final = {
    *("count", "sum", "min", "max", "avg", "mean", "median", "stddev", "variance", "first", "last", "quantile"),
    *("row_number", "rank", "lag", "lead", "any_value"),
}
_WORDS: Final = {
    *("and", "or", "not", "in", "between", "like", "ilike", "regexp", "rlike", "is", "null", "true", "false"),
    *("starts_with", "case", "cast"),
}
_COMPARE: Final = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_REGEX: Final = {  # whether it is negated, and whether it folds case
    "=~": (False, False),
    "~": (False, False),
    "!~": (True, False),
    "~*": (False, True),
    "!~*": (True, True),
}


def parse(text: str) -> Node:
    """Return the tree of a rule; raises `RuleError`."""
    try:
        return _Parser(text).rule()
    except RecursionError:
        raise RuleError("nested too deeply", 0) from None
    except RuleError as error:
        raise error.within(text) from None


class _Parser:
    """Reads one rule, word by word."""

    def __init__(self, text: str) -> None:
        if len(text) > RULE_BYTES:
            raise RuleError(f"longer than {RULE_BYTES:,} characters", 0)
        self._tokens = words(text)
        self._next = 0
        self._depth = 0

    def rule(self) -> Node:
        if self._token.kind == "end":
            raise RuleError("there is nothing in it", 0, "write a condition, such as level == 'error'")
        node = self._or()
        if self._token.kind != "end":
            raise self._surplus()
        return node

    @property
    def _token(self) -> Word:
        return self._tokens[self._next]

    def _take(self, *words: str) -> Word | None:
        token = self._token
        if token.lower not in words:
            return None
        self._next += 1
        return token

    def _expect(self, word: str, after: str) -> None:
        if not self._take(word):
            raise RuleError(f"expected {word!r} {after}, but {self._token.said()}", self._token.at)

    def _surplus(self) -> RuleError:
        token = self._token
        if token.text == ")":
            return RuleError("this ')' closes nothing", token.at, "remove it")
        hint = did_you_mean(token.lower, ("and", "or", "in", "like", "between", "regexp")) if token.lower else ""
        return RuleError(
            f"expected 'and', 'or' or the end, {token.said()}", token.at, hint or "join two conditions by 'and' or 'or'"
        )

    # --- conditions, from the loosest to the tightest -------------------------------------------------------------

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > RULE_DEPTH:
            raise RuleError(f"nested more than {RULE_DEPTH} deep", self._token.at)
        parts = [self._and()]
        while self._take("or", "||"):
            parts.append(self._and())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Node:
        parts = [self._not()]
        while self._take("and", "&&"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Node:
        negations = 0
        while self._take("not", "!"):
            negations += 1
        node = self._condition()
        return Not(node) if negations % 2 else node

    def _condition(self) -> Node:
        left = self._sum()
        token = self._token
        if token.lower in _COMPARE:
            self._next += 1
            right = self._sum()
            _refuse_null(left, right)
            return Compare(_COMPARE[token.lower], left, right, token.at)
        if token.lower in _REGEX:
            self._next += 1
            negated, folded = _REGEX[token.lower]
            pattern = _checked(self._text(f"after {token.text!r}"), folded=folded)
            return _maybe_not(Match("regex", left, pattern, token.at), negated)
        if self._take("is"):
            return self._is(left)
        negated = bool(self._take("not"))
        node = self._between_words(left)
        if node is not None:
            return _maybe_not(node, negated)
        if negated:
            raise RuleError(f"expected 'in', 'like' or 'between' after 'not', but {self._token.said()}", self._token.at)
        return left

    def _between_words(self, left: Node) -> Node | None:
        """Return a condition whose operator is a word."""
        token = self._token
        match token.lower:
            case "in":
                self._next += 1
                return In(left, self._items(), token.at)
            case "between":
                self._next += 1
                low = self._sum()
                self._expect("and", "between two bounds")
                high = self._sum()
                return And((Compare(">=", left, low, token.at), Compare("<=", left, high, token.at)))
            case "like" | "ilike" as kind:
                self._next += 1
                return Match(kind, left, self._text(f"after {kind!r}").value_text, token.at)
            case "regexp" | "rlike":
                self._next += 1
                return Match("regex", left, _checked(self._text("after 'regexp'"), folded=False), token.at)
            case "starts_with" | "prefix" | "^@":
                self._next += 1
                return Match("prefix", left, self._text(f"after {token.text!r}").value_text, token.at)
        return None

    def _is(self, left: Node) -> Node:
        negated = bool(self._take("not"))
        if self._take("null"):
            return _maybe_not(IsNull(left), negated)
        token = self._take("true", "false")
        if token is None:
            raise RuleError(f"expected null, true or false after 'is', but {self._token.said()}", self._token.at)
        return _maybe_not(Compare("=", left, Literal(token.lower == "true", token.at), token.at), negated)

    def _items(self) -> tuple[Literal, ...]:
        self._expect("(", "after 'in'")
        items: list[Literal] = []
        while True:
            if self._token.lower == "select":
                raise _beyond(self._token)
            value = self._sum()
            if not isinstance(value, Literal):
                raise RuleError(
                    "a list holds values only", getattr(value, "at", self._token.at), "put text in single quotes"
                )
            _refuse_null(value)
            items.append(value)
            if self._take(")"):
                return tuple(items)
            self._expect(",", "between the values of a list")

    def _text(self, after: str) -> _Text:
        token = self._token
        if token.kind != "text":
            raise RuleError(f"expected text in single quotes {after}, but {token.said()}", token.at)
        self._next += 1
        return _Text(token.text[1:-1].replace("''", "'"), token.at)

    # --- values ---------------------------------------------------------------------------------------------------

    def _sum(self) -> Node:
        node = self._product()
        while token := self._take("+", "-"):
            node = Arithmetic(token.text, node, self._product(), token.at)
        return node

    def _product(self) -> Node:
        node = self._value()
        while token := self._take("*", "/", "%"):
            node = Arithmetic(token.text, node, self._value(), token.at)
        return node

    def _value(self) -> Node:  # noqa: PLR0911  one answer per kind of word
        token = self._token
        self._next += 1
        match token.kind:
            case "number":
                return Literal(token.number(), token.at)
            case "text":
                return Literal(token.text[1:-1].replace("''", "'"), token.at)
            case "quoted":
                return Name(token.text[1:-1].replace('""', '"'), exact=True, at=token.at)
            case "word":
                return self._word(token)
        if token.text == "(":
            if self._token.lower == "select":
                raise _beyond(self._token)
            node = self._or()
            self._expect(")", "at the end of the brackets")
            return node
        if token.text == "-":
            value = self._value()
            if isinstance(value, Literal) and isinstance(value.value, int | float):
                return Literal(-value.value, token.at)
            return Arithmetic("-", Literal(0, token.at), value, token.at)
        self._next -= 1
        raise RuleError(f"expected a column or a value, but {token.said()}", token.at)

    def _word(self, token: Word) -> Node:
        constants: dict[str, Value] = {"true": True, "false": False, "null": None}
        if token.lower in constants:
            return Literal(constants[token.lower], token.at)
        if token.lower in {"select", "exists", "over"}:
            raise _beyond(token)
        if self._token.text == "(":
            return self._call(token)
        if token.lower in _WORDS:
            what = f"expected a column or a value, found {token.text!r}"
            raise RuleError(what, token.at, f'write "{token.text}" for a column of that name')
        return Name(token.text.replace(".", "_"), exact=False, at=token.at)

    def _call(self, token: Word) -> Node:
        name = token.lower
        if name in _BEYOND:
            raise _beyond(token)
        if name not in _FUNCTIONS:
            hint = did_you_mean(name, _FUNCTIONS) or f"known: {', '.join(_FUNCTIONS)}"
            raise RuleError(f"there is no function {token.text!r}", token.at, hint)
        self._next += 1
        arguments: list[Node] = []
        if not self._take(")"):
            arguments.append(self._or())
            while self._take(","):
                arguments.append(self._or())
            self._expect(")", f"at the end of {name}(…)")
        fewest, most = _FUNCTIONS[name]
        if not fewest <= len(arguments) <= most:
            takes = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise RuleError(f"{name} takes {takes} values, got {len(arguments)}", token.at)
        return _patterned(Call(name, tuple(arguments), token.at))


@dataclass(frozen=True, slots=True)
class _Text:
    value_text: str
    at: int


def _patterned(call: Call) -> Node:
    """Return what a call means: some functions are other spellings of a condition."""
    kinds = {"starts_with": "prefix", "ends_with": "suffix", "contains": "contains", "regexp_like": "regex"}
    if call.name not in kinds:
        return call
    value, pattern = call.arguments
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        raise RuleError(f"the second value of {call.name} is text in single quotes", call.at)
    text = pattern.value
    if call.name == "regexp_like":
        text = _checked(_Text(text, pattern.at), folded=False)
    return Match(kinds[call.name], value, text, call.at)


def _checked(pattern: _Text, *, folded: bool) -> str:
    """Return a regular expression that the engine takes."""
    try:
        groups_of(pattern.value_text)
    except PatternError as error:
        raise RuleError(f"this regular expression cannot be used: {error}", pattern.at) from None
    return f"(?i){pattern.value_text}" if folded else pattern.value_text


def _maybe_not(node: Node, negated: bool) -> Node:
    return Not(node) if negated else node


def _refuse_null(*nodes: Node) -> None:
    for node in nodes:
        if isinstance(node, Literal) and node.value is None:
            raise RuleError("nothing is equal to null, null neither", node.at, "write 'is null' or 'is not null'")


def _beyond(token: Word) -> RuleError:
    what = f"{token.text!r} looks beyond one row, and a rule is about one row"
    return RuleError(what, token.at, "use the step 'aggregate', or a metric")
