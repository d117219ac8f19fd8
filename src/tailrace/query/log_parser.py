"""Tokens to log queries and ranges: `{…} | stage | stage`, `{…} | unwrap took [5m] offset 1h`.

The half of the grammar below metrics; `parser` reads the rest. In: a cursor at `{`, or at what stands within the
parentheses of a range aggregation. Out: nodes of `syntax`, not yet checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

from tailrace.errors import did_you_mean
from tailrace.query import literals, matchers, stages
from tailrace.query.stages import line_filter
from tailrace.query.stages.label_filter import LabelFilter
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import LogQuery, LogRange, Matcher, Selector, Stage, Unwrap

if TYPE_CHECKING:
    from tailrace.errors import QueryError
    from tailrace.query.cursor import Cursor
    from tailrace.query.lexer import Token

LINE_OPS: Final = line_filter.OPS
COMPARING: Final = frozenset({"=", "==", "!=", "=~", "!~", ">", ">=", "<", "<="})
_CONVERSIONS: Final = ("bytes", "duration", "duration_seconds")


class LogParser:
    """Reads log queries and ranges from a cursor that it shares."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._ranges = 0  # range aggregations that are being read

    def log(self) -> LogQuery:
        """Read a log query."""
        selector = self.selector()
        return LogQuery(selector, self._stages(), selector.at)

    def selector(self) -> Selector:
        """Read `{…}`."""
        at = self._cursor.expect_op("{", hint='streams are selected as in {host="web-1"}').at
        found: list[Matcher] = []
        self._cursor.listed(lambda: found.append(matchers.parse_matcher(self._cursor)), "}", "the matcher")
        return Selector(tuple(found), at)

    def at_stage(self) -> bool:
        """Tell whether a stage is ahead."""
        return self._cursor.at_op("|", *LINE_OPS)

    def _stages(self) -> tuple[Stage, ...]:
        found: list[Stage] = []
        while self.at_stage() and not (self._ranges and self._at_unwrap()):
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
        if cursor.at_op("(") or (token.kind == "name" and cursor.peek().text in COMPARING):
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

    # --- ranges ---------------------------------------------------------------------------------

    def log_range(self, function: str) -> LogRange:
        """Read `{…} [5m] | …`, `{…} | … [5m]`, `({…} | …) [5m]`, or one of them in parentheses."""
        self._ranges += 1
        with self._cursor.nested():
            found = self._ranged(function)
        self._ranges -= 1
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
        while self.at_stage():
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
        return range_ns, self.offset()

    def offset(self) -> int:
        """Read `offset 1h`, if it is ahead, in nanoseconds."""
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
