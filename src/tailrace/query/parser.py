"""Tokens to syntax tree: the grammar of LogQL by recursive descent.

Comes in: the text of a query. Goes out: a tree of `syntax`, checked (`check`). Refuses, as a
`QueryError` with position and hint, what is not LogQL, and says plainly what is LogQL but not in
this version. Nothing is folded or simplified here.

>>> str(parse('sum(rate({app="web"}|="err"[5m]))by(host)'))
'sum by (host) (rate({app="web"} |= "err" [5m]))'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

from tailrace.errors import did_you_mean
from tailrace.query import check, functions, literals, matchers, stages
from tailrace.query.cursor import RESERVED, Cursor
from tailrace.query.stages import line_filter
from tailrace.query.stages.label_filter import LabelFilter
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import (
    COMPARISONS,
    PRECEDENCE,
    SETS,
    Binary,
    BinaryOp,
    Grouping,
    LabelReplace,
    LogQuery,
    LogRange,
    Matcher,
    Matching,
    Metric,
    Number,
    Query,
    RangeAggregation,
    Selector,
    Stage,
    Unwrap,
    Vector,
    VectorAggregation,
)

if TYPE_CHECKING:
    from tailrace.errors import QueryError
    from tailrace.query.lexer import Token

_LINE_OPS: Final = line_filter.OPS
_CONVERSIONS: Final = ("bytes", "duration", "duration_seconds")
_COMPARING: Final = frozenset({"=", "==", "!=", "=~", "!~", ">", ">=", "<", "<="})
_CHAIN: Final = 100
"""Operators in one chain: far more than anyone writes, and no overflow of the stack afterwards."""


def parse(text: str) -> Query:
    """Return the tree of a query that can be run; raise `QueryError` for any other text."""
    query = _Parser(text).query()
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
    def __init__(self, text: str) -> None:
        self._cursor = Cursor(text)
        self._ranges = 0  # range aggregations that are being read

    # --- whole queries --------------------------------------------------------------------------

    def query(self) -> Query:
        if self._cursor.token.kind == "end":
            raise self._cursor.error("the query is empty", hint='select streams first, as in {host=~".+"}')
        query = self._expression(0)
        self.end()
        return query

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
            flag = self._cursor.accept_word("bool")
            if flag and name not in COMPARISONS:
                raise self._cursor.error("`bool` stands after a comparison", flag, "remove it")
            matching = self._matching(name)
            with self._cursor.nested():
                right = self._expression(binding + (name != "^"))
            left = Binary(
                cast("BinaryOp", name),  # a key of PRECEDENCE
                self._metric(left),
                self._metric(right),
                returns_bool=flag is not None,
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
        if op in SETS:
            raise self._cursor.error(f"{side} means nothing for `{op}`", side, "remove it")
        include = self._names(side) if self._cursor.at_op("(") else ()
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
            return self._log()
        if cursor.at_op("("):
            return self._parenthesised()
        if cursor.token.kind == "number" or cursor.at_op("+", "-"):
            return self._number()
        if cursor.token.kind == "name" and cursor.token.word not in RESERVED:
            return self._call()
        hint = ""
        if cursor.token.kind == "string":
            hint = 'to search text, select streams first: {host=~".+"} |= ' + cursor.token.text
        elif cursor.at_op(*_LINE_OPS, "|"):
            hint = 'select streams first, as in {host=~".+"} |= "text"'
        raise cursor.error(f"expected a stream selector, a function or a number, found {cursor.token}", hint=hint)

    def _parenthesised(self) -> Query:
        self._cursor.next()
        with self._cursor.nested():
            inner = self._expression(0)
        self._cursor.expect_op(")", "the expression")
        if isinstance(inner, LogQuery) and self._at_stage():
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

    # --- log queries ----------------------------------------------------------------------------

    def _log(self) -> LogQuery:
        selector = self.selector()
        return LogQuery(selector, self._stages(), selector.at)

    def selector(self) -> Selector:
        """Read `{…}`."""
        at = self._cursor.expect_op("{", hint='streams are selected as in {host="web-1"}').at
        found: list[Matcher] = []
        self._cursor.listed(lambda: found.append(matchers.parse_matcher(self._cursor)), "}", "the matcher")
        return Selector(tuple(found), at)

    def _at_stage(self) -> bool:
        return self._cursor.at_op("|", *_LINE_OPS)

    def _stages(self) -> tuple[Stage, ...]:
        found: list[Stage] = []
        while self._at_stage() and not (self._ranges and self._at_unwrap()):
            found.append(self._stage())
        return tuple(found)

    def _stage(self) -> Stage:
        cursor = self._cursor
        if not cursor.accept_op("|"):
            return LineFilter.parse(cursor)
        token = cursor.token
        if token.word in stages.STAGES:
            return stages.STAGES[token.word].parse(cursor)
        if token.word == "unwrap":
            hint = "for example avg_over_time({…} | unwrap took [5m])"
            raise cursor.error("`unwrap` takes values out for a range aggregation", token, hint)
        if cursor.at_op("(") or (token.kind == "name" and cursor.peek().text in _COMPARING):
            return LabelFilter.parse(cursor)
        raise self._unknown_stage(token)

    def _unknown_stage(self, token: Token) -> QueryError:
        known = ", ".join(stages.STAGES)
        if token.kind != "name":
            hint = 'a text search is |= "…"' if token.kind == "string" else f"stages: {known}"
            return self._cursor.error(f"expected a stage or a label after `|`, found {token}", hint=hint)
        close = did_you_mean(token.word, [*stages.STAGES, "unwrap"])
        what = f"{token} is neither a stage nor a test of a label"
        return self._cursor.error(what, token, close or f'stages: {known}; a test looks like {token.text}="…"')

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
        raise self._unknown_function(name)

    def _unknown_function(self, name: Token) -> QueryError:
        cursor = self._cursor
        known = [*functions.RANGE, *functions.VECTOR, "vector", "label_replace"]
        if cursor.at_op("(") or cursor.at_word("by", "without"):
            close = did_you_mean(name.word, known)
            return cursor.error(f"unknown function {name}", name, close or f"known: {', '.join(known)}")
        if cursor.token.text in _COMPARING:
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
        self._ranges += 1
        with cursor.nested():
            log_range = self._log_range(name.word)
        self._ranges -= 1
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

    # --- ranges ---------------------------------------------------------------------------------

    def _log_range(self, function: str) -> LogRange:
        """Read `{…} [5m] | …`, `{…} | … [5m]`, `({…} | …) [5m]`, or one of them in parentheses."""
        found = self._ranged(function)
        if isinstance(found, LogRange):
            return found
        log, unwrap = found
        return LogRange(log, *self._window(function), unwrap, log.at)

    def _ranged(self, function: str) -> LogRange | tuple[LogQuery, Unwrap | None]:
        """Read a log query, what it unwraps, and its range; without the range if that is still to come."""
        cursor = self._cursor
        if cursor.accept_op("("):
            with cursor.nested():
                inner = self._ranged(function)
            cursor.expect_op(")", "the range" if isinstance(inner, LogRange) else "the log query")
            if not isinstance(inner, LogRange) and cursor.at_op("["):
                log, unwrap = inner
                return LogRange(log, *self._window(function), unwrap, log.at)
            return inner
        if not cursor.at_op("{"):
            hint = f'for example {function}({{host="web-1"}} [5m])'
            raise cursor.error(f"`{function}` takes a log query with a range, found {cursor.token}", hint=hint)
        selector = self.selector()
        window = self._window(function) if cursor.at_op("[") else None
        log = LogQuery(selector, self._stages(), selector.at)
        unwrap = self._unwrap()
        if window is None and cursor.at_op("["):
            window = self._window(function)
        return LogRange(log, *window, unwrap, selector.at) if window else (log, unwrap)

    def _unwrap(self) -> Unwrap | None:
        """Read `| unwrap label` and the label filters behind it, if that is ahead."""
        cursor = self._cursor
        if not self._at_unwrap():
            return None
        cursor.next()
        at = cursor.next().at
        name = cursor.expect_name(after="`unwrap`")
        conversion = ""
        if cursor.accept_op("("):
            if name.word not in _CONVERSIONS:
                hint = did_you_mean(name.word, _CONVERSIONS) or f"conversions: {', '.join(_CONVERSIONS)}"
                raise cursor.error(f"unknown conversion {name}", name, hint)
            conversion = name.word
            name = cursor.expect_name(after=f"`{conversion}(`")
            cursor.expect_op(")", "the label")
        filters: list[Stage] = []
        while self._at_stage():
            pipe = cursor.token
            stage = self._stage()
            if not isinstance(stage, LabelFilter):
                raise cursor.error("only label filters may stand behind `unwrap`", pipe, "move the stage before it")
            filters.append(stage)
        return Unwrap(name.text, cast("Literal['', 'bytes']", conversion), tuple(filters), at)

    def _at_unwrap(self) -> bool:
        return self._cursor.at_op("|") and self._cursor.peek().word == "unwrap"

    def _window(self, function: str) -> tuple[int, int]:
        """Read `[5m]` and `offset 1h`."""
        cursor = self._cursor
        cursor.expect_op("[", "the log query", f"{function} needs a range, as in {function}({{…}} [5m])")
        token = cursor.token
        range_ns = literals.range_duration(token.text)
        if range_ns is None:
            hint = "whole numbers with falling units, each once, as in [1h30m]"
            raise cursor.error(f"expected a range, found {token}", hint=hint)
        if range_ns == 0:
            raise cursor.error("a range must be longer than zero")
        cursor.next()
        cursor.expect_op("]", "the range")
        return range_ns, self._offset()

    def _offset(self) -> int:
        cursor = self._cursor
        if not cursor.accept_word("offset"):
            return 0
        sign = cursor.accept_op("-", "+")
        token = cursor.token
        if token.kind != "duration":
            raise cursor.error(f"expected a duration after `offset`, found {token}", hint="for example offset 1h")
        cursor.next()
        ns = cast("int", token.value)
        return -ns if sign and sign.text == "-" else ns
