"""What grammar cannot see: whether a tree can be run.

`check` raises the first mistake as a `QueryError` that points into the text: a selector that accepts
every stream, a regex that the engine cannot run, parameters and groupings that a function does not take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.query import functions, matchers, regexes
from tailrace.query.cursor import Source
from tailrace.query.syntax import (
    SETS,
    Binary,
    LabelReplace,
    LogQuery,
    Named,
    Number,
    RangeAggregation,
    Vector,
    VectorAggregation,
)

if TYPE_CHECKING:
    from tailrace.query.functions.contract import RangeFunction
    from tailrace.query.syntax import Grouping, Matcher, Query, Selector


def check(query: Query, text: str) -> None:
    """Raise the first mistake of a query that was parsed from `text`."""
    _query(query, Source(text))


def check_matchers(selector: Selector, text: str) -> None:
    """Raise the first mistake in the matchers of a selector; one that accepts every stream is none here."""
    for matcher in selector.matchers:
        matchers.check_matcher(matcher, Source(text))


def _query(query: Query, source: Source) -> None:
    match query:
        case LogQuery():
            _log(query, source)
        case RangeAggregation():
            _range(query, source)
        case VectorAggregation():
            _vector(query, source)
        case Binary():
            _query(query.left, source)
            _query(query.right, source)
            number = next((side for side in (query.left, query.right) if is_number(side)), None)
            if query.op in SETS and number:
                raise source.error(f"`{query.op}` joins sets of series, not a number", number.at, "write vector(n)")
        case LabelReplace():
            if is_number(query.operand):
                raise source.error("`label_replace` takes series, not a number", query.operand.at)
            _query(query.operand, source)
            regexes.check(query.regex, query.regex_at, source, whole=True)
        case Named() | Number() | Vector():
            for matcher in query.matchers if isinstance(query, Named) else ():
                matchers.check_matcher(matcher, source)


def _log(query: LogQuery, source: Source) -> None:
    for matcher in query.selector.matchers:
        matchers.check_matcher(matcher, source)
    if all(accepts_empty(matcher) for matcher in query.selector.matchers):
        hint = 'for example {host=~".+"} reads all'
        raise source.error("at least one matcher must refuse the empty value", query.selector.at, hint)
    for stage in query.stages:
        stage.check(source)


def is_number(query: Query) -> bool:
    """Tell whether a query is a number: a literal, or an operator on numbers."""
    if isinstance(query, Binary):
        return is_number(query.left) and is_number(query.right)
    return isinstance(query, Number)


def accepts_empty(matcher: Matcher) -> bool:
    """Tell whether a stream without the label passes."""
    if matcher.op in ("=", "!="):
        return (matcher.value == "") == (matcher.op == "=")
    return regexes.matches_empty(matcher.value) == (matcher.op == "=~")


def _range(query: RangeAggregation, source: Source) -> None:
    function: type[RangeFunction] | None = functions.RANGE[query.function]
    if query.function != functions.ABSENT:
        function = (functions.VALUES if query.range.unwrap else functions.LINES).get(query.function)
    if function is None:
        raise _wrong_input(query, source)
    if query.parameter is not None and not function.parameter:
        raise source.error(f"`{query.function}` takes no parameter", query.at)
    if query.parameter is None and function.parameter:
        raise source.error(f"`{query.function}` needs {function.parameter}", query.at)
    if query.grouping and not function.grouping:
        raise _no_grouping(query.function, query.grouping, source)
    _log(query.range.log, source)
    for stage in query.range.unwrap.filters if query.range.unwrap else ():
        stage.check(source)


def _wrong_input(query: RangeAggregation, source: Source) -> Exception:
    if query.range.unwrap:
        hint = "take the `unwrap` out, or use sum_over_time"
        return source.error(f"`{query.function}` takes lines, not values", query.range.unwrap.at, hint)
    hint = f"as in {query.function}({{…}} | unwrap took [5m])"
    return source.error(f"`{query.function}` takes the values of a label", query.at, hint)


def _no_grouping(function: str, grouping: Grouping, source: Source) -> Exception:
    hint = f"group a sum of it: sum {grouping} ({function}(…))"
    return source.error(f"`{function}` cannot be grouped", grouping.at, hint)


def _vector(query: VectorAggregation, source: Source) -> None:
    function = functions.VECTOR[query.function]
    if query.grouping and not function.grouping:
        raise source.error(f"`{query.function}` cannot be grouped", query.grouping.at)
    if query.parameter is not None and not function.parameter:
        raise source.error(f"`{query.function}` takes no parameter", query.at)
    if function.parameter and (query.parameter is None or query.parameter < 1 or query.parameter % 1):
        hint = f"as in {query.function}(10, …)"
        raise source.error(f"`{query.function}` needs {function.parameter}", query.at, hint)
    if is_number(query.operand):
        raise source.error(f"`{query.function}` takes series, not a number", query.operand.at)
    _query(query.operand, source)
