"""Tokens to syntax tree: the grammar of LogQL by recursive descent.

Comes in: the text of a query. Goes out: a tree of `syntax`, checked (`check`). Refuses, as a
`QueryError` with position and hint, what is not LogQL, and says plainly what is LogQL but not in
this version. Nothing is folded or simplified here.

>>> str(parse('sum(rate({app="web"}|="err"[5m]))by(host)'))
'sum by (host) (rate({app="web"} |= "err" [5m]))'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tailrace.errors import did_you_mean
from tailrace.query import check, functions
from tailrace.query.cursor import RESERVED, Cursor
from tailrace.query.log_parser import COMPARING, LINE_OPS, LogParser
from tailrace.query.syntax import (
    COMPARISONS,
    PRECEDENCE,
    SETS,
    Binary,
    BinaryOp,
    Grouping,
    LabelReplace,
    LogQuery,
    Matching,
    Metric,
    Named,
    Number,
    Query,
    RangeAggregation,
    Selector,
    Vector,
    VectorAggregation,
)

if TYPE_CHECKING:
    from tailrace.errors import QueryError
    from tailrace.query.lexer import Token

_CHAIN: Final = 100
"""Operators in one chain: far more than anyone writes, and no overflow of the stack afterwards."""


def parse(text: str, *, names: bool = False) -> Query:
    """Return the tree of a query that can be run; raise `QueryError` for any other text.

    With `names`, series that rules recorded may stand where a function of lines may, as `job:lines:rate5m{host="a"}`.
    """
    query = _Parser(text, names=names).query()
    check.check(query, text)
    return query


def parse_selector(text: str) -> Selector:
    """Return a lone stream selector, as label and series lists take it; `{}` is allowed there."""
    parser = _Parser(text)
    selector = parser.selector()
    parser.end()
    check.check_matchers(selector, text)
    return selector


class _Parser:
    def __init__(self, text: str, *, names: bool = False) -> None:
        self._recorded = names
        self._cursor = Cursor(text, names=names)
        self._logs = LogParser(self._cursor)

    # --- whole queries --------------------------------------------------------------------------

    def query(self) -> Query:
        if self._cursor.token.kind == "end":
            raise self._cursor.error("the query is empty", hint='select streams first, as in {host=~".+"}')
        query = self._expression(0)
        self.end()
        return query

    def selector(self) -> Selector:
        return self._logs.selector()

    def end(self) -> None:
        if self._cursor.token.kind == "end":
            return
        token = self._cursor.token
        if token.text == "[":
            raise self._cursor.error("a range stands inside a function", hint="for example rate({…} [5m])")
        if token.word in ("by", "without"):
            raise self._cursor.error(f"{token} groups an aggregation", hint="write it beside sum, avg, topk …")
        if token.word == "offset":
            raise self._cursor.error(f"{token} stands behind the range", hint="write [5m] offset 1h")
        raise self._cursor.error(f"unexpected {token}, the query should end here")

    def _expression(self, lowest: int) -> Query:
        """Read operands and the operators between them that bind at least as tightly as `lowest`."""
        left, count = self._operand(), 0
        while (op := self._operator(lowest)) is not None:
            count += 1
            if count > _CHAIN:
                raise self._cursor.error(f"more than {_CHAIN} operators in a row", op)
            name = op.word or op.text
            binding = PRECEDENCE[name]
            if isinstance(left, LogQuery) and self._cursor.token.kind == "string":
                hint = f"write |= {self._cursor.token.text}"
                raise self._cursor.error(f"{op} does not search lines", op, hint)
            flag = self._cursor.accept_word("bool")  # ignored after anything but a comparison, as upstream
            matching = self._matching(name)
            with self._cursor.nested():
                right = self._expression(binding + (name != "^"))
            left = Binary(
                cast("BinaryOp", name),  # a key of PRECEDENCE
                self._metric(left),
                self._metric(right),
                returns_bool=flag is not None and name in COMPARISONS,
                matching=matching,
                at=op.at,
            )
        return left

    def _operator(self, lowest: int) -> Token | None:
        token = self._cursor.token
        name = token.word if token.word in SETS else token.text if token.kind == "op" else ""
        return self._cursor.next() if PRECEDENCE.get(name, -1) >= lowest else None

    def _matching(self, op: str) -> Matching | None:
        """Read `on (…)` or `ignoring (…)`, and `group_left (…)` or `group_right (…)` behind it."""
        word = self._cursor.accept_word("on", "ignoring")
        if word is None:
            if self._cursor.at_word("group_left", "group_right"):
                raise self._cursor.error(f"{self._cursor.token} stands behind on(…) or ignoring(…)")
            return None
        labels = self._names(word)
        side = self._cursor.accept_word("group_left", "group_right")
        if side is None:
            return Matching(word.word == "on", labels)
        include = self._names(side) if self._cursor.at_op("(") else ()
        if op in SETS:  # the word has no meaning there, and is ignored as upstream
            return Matching(word.word == "on", labels)
        return Matching(word.word == "on", labels, "left" if side.word == "group_left" else "right", include)

    def _names(self, word: Token) -> tuple[str, ...]:
        """Read labels in parentheses."""
        self._cursor.expect_op("(", str(word), f"for example {word.word} (level)")
        labels: list[str] = []
        self._cursor.listed(lambda: labels.append(self._cursor.expect_name().text), ")", "the label")
        return tuple(labels)

    def _metric(self, query: Query) -> Metric:
        if isinstance(query, LogQuery):
            hint = "count its lines first, as in count_over_time({…} [5m])"
            raise self._cursor.source.error("a log query cannot be an operand", query.at, hint)
        return query

    def _operand(self) -> Query:
        cursor = self._cursor
        if cursor.at_op("{"):
            return self._logs.log()
        if cursor.at_op("("):
            return self._parenthesised()
        if cursor.token.kind == "number" or cursor.at_op("+", "-"):
            return self._number()
        if cursor.token.kind == "name" and cursor.token.word not in RESERVED:
            return self._call()
        hint = ""
        if cursor.token.kind == "string":
            hint = 'to search text, select streams first: {host=~".+"} |= ' + cursor.token.text
        elif cursor.at_op(*LINE_OPS, "|"):
            hint = 'select streams first, as in {host=~".+"} |= "text"'
        raise cursor.error(f"expected a stream selector, a function or a number, found {cursor.token}", hint=hint)

    def _parenthesised(self) -> Query:
        self._cursor.next()
        with self._cursor.nested():
            inner = self._expression(0)
        self._cursor.expect_op(")", "the expression")
        if isinstance(inner, LogQuery) and self._logs.at_stage():
            raise self._cursor.error("a stage stands inside the parentheses of its query", hint="move the `)`")
        return inner

    def _number(self) -> Number:
        sign = self._cursor.accept_op("+", "-")
        token = self._cursor.token
        if token.kind != "number":
            hint = "write 0 - x for the opposite of x" if sign and token.kind in ("name", "op") else ""
            raise self._cursor.error(f"expected a number, found {token}", hint=hint)
        self._cursor.next()
        value = cast("float", token.value)
        return Number(-value if sign and sign.text == "-" else value, (sign or token).at)

    # --- metric queries -------------------------------------------------------------------------

    def _call(self) -> Metric:
        name = self._cursor.next()
        if name.word == "vector" and self._cursor.at_op("("):
            return self._vector(name)
        if name.word == "label_replace" and self._cursor.at_op("("):
            return self._label_replace(name)
        if name.word in functions.RANGE:
            return self._range_aggregation(name)
        if name.word in functions.VECTOR:
            return self._vector_aggregation(name)
        if self._recorded and not self._cursor.at_op("("):
            return self._named(name)
        raise self._unknown_function(name)

    def _named(self, name: Token) -> Named:
        """Read the matchers and the offset of recorded series."""
        matchers = self._logs.selector().matchers if self._cursor.at_op("{") else ()
        if self._cursor.at_op("["):
            hint = "a function of lines takes a range; of recorded series the newest samples are known"
            raise self._cursor.error("recorded series have no range", hint=hint)
        return Named(name.text, matchers, self._logs.offset(), at=name.at)

    def _unknown_function(self, name: Token) -> QueryError:
        cursor = self._cursor
        known = [*functions.RANGE, *functions.VECTOR, "vector", "label_replace"]
        if cursor.at_op("(") or cursor.at_word("by", "without"):
            close = did_you_mean(name.word, known)
            return cursor.error(f"unknown function {name}", name, close or f"known: {', '.join(known)}")
        if cursor.token.text in COMPARING:
            hint = f'streams are selected in braces: {{{name.text}="…"}}'
            return cursor.error(f"unexpected label {name}", name, hint)
        hint = did_you_mean(name.word, known) or f'to search text: {{host=~".+"}} |= "{name.text}"'
        return cursor.error(f"expected a stream selector, a function or a number, found {name}", name, hint)

    def _vector(self, name: Token) -> Vector:
        self._cursor.expect_op("(", "`vector`")
        token = self._cursor.token
        if token.kind != "number":
            raise self._cursor.error(f"expected an unsigned number in `vector()`, found {token}")
        self._cursor.next()
        self._cursor.expect_op(")", "the number")
        return Vector(cast("float", token.value), name.at)

    def _label_replace(self, name: Token) -> LabelReplace:
        cursor = self._cursor
        cursor.expect_op("(", str(name))
        with cursor.nested():
            operand = self._metric(self._expression(0))
        texts: list[Token] = []
        for what in ("the expression", "the label to set", "the replacement", "the label to read"):
            cursor.expect_op(",", what, 'for example label_replace(rate({…} [5m]), "new", "$1", "old", "(.*)")')
            texts.append(cursor.expect_string("`,`"))
        cursor.expect_op(")", "the regular expression")
        target, replacement, source, regex = (str(text.value) for text in texts)
        return LabelReplace(operand, target, replacement, source, regex, name.at, texts[-1].at)

    def _range_aggregation(self, name: Token) -> RangeAggregation:
        cursor = self._cursor
        cursor.expect_op("(", str(name), f"for example {name.word}({{…}} [5m])")
        parameter = self._parameter()
        log_range = self._logs.log_range(name.word)
        cursor.expect_op(")", "the range")
        return RangeAggregation(name.word, log_range, self._grouping(), parameter, name.at)

    def _vector_aggregation(self, name: Token) -> VectorAggregation:
        cursor = self._cursor
        before = self._grouping()
        hint = f"for example {name.word} by (level) (rate({{…}} [5m]))"
        cursor.expect_op("(", "the grouping" if before else str(name), hint)
        parameter = self._parameter()
        with cursor.nested():
            operand = self._expression(0)
        hint = "a range stands inside a function like rate" if cursor.at_op("[") else ""
        cursor.expect_op(")", "the expression", hint)
        after = self._grouping()
        if before and after:
            raise cursor.source.error(f"{name} is grouped twice", after.at, "group before or after, not both")
        if isinstance(operand, LogQuery):
            hint = f"count its lines first, as in {name.word}(count_over_time({{…}} [5m]))"
            raise cursor.source.error(f"{name} takes a metric query, not a log query", operand.at, hint)
        return VectorAggregation(name.word, operand, before or after, parameter, name.at)

    def _parameter(self) -> float | None:
        """Read `number ,`, if that is ahead."""
        cursor = self._cursor
        if cursor.at_op("-", "+") and cursor.peek().kind == "number" and cursor.peek(2).text == ",":
            raise cursor.error("a parameter has no sign")
        if cursor.token.kind == "number" and cursor.peek().text == ",":
            value = cast("float", cursor.next().value)
            cursor.next()
            return value
        return None

    def _grouping(self) -> Grouping | None:
        word = self._cursor.accept_word("by", "without")
        if word is None:
            return None
        return Grouping(self._names(word), word.word == "without", word.at)
