"""What a rule's expression tells before it is asked: its threshold, how far back it looks, what it reads. Pure.

`x > 5` is asked as `x`: then rules that differ in their thresholds share one query, and a value that does not reach
the threshold (zero) is told from a series that is not there (empty).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tailrace.alerts.windows import Reach
from tailrace.query.named import LOOKBACK_NS, names
from tailrace.query.parser import parse
from tailrace.query.syntax import (
    Binary,
    LabelReplace,
    LogQuery,
    Number,
    RangeAggregation,
    VectorAggregation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tailrace.query.syntax import Metric, Selector

_TESTS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_TURNED: Final = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}

_COUNTING: Final = {"count_over_time", "rate", "bytes_over_time", "bytes_rate"}
"""Functions whose value is 0 where there are no lines."""

_KEEPING: Final = {"sum", "max", "min", "avg"}
"""Aggregations that are 0 when all that they take is."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, taken apart: `asked` is compared by `op` with `threshold`, unless `op` is empty."""

    asked: str
    op: str
    threshold: float
    reach: Reach
    selectors: tuple[Selector, ...]
    counting: bool  # a series that is silent has the value 0
    names: tuple[str, ...] = ()  # of series that rules recorded

    def holds(self, value: float) -> bool:
        """Tell whether a value of `asked` fulfils the condition."""
        return not self.op or _TESTS[self.op](value, self.threshold)


@lru_cache(maxsize=65_536)
def expression(text: str) -> Expression:
    """Take an expression apart; raises `QueryError` for one that cannot be run."""
    query = parse(text, names=True)
    assert not isinstance(query, LogQuery), "rules are read with numbers only"
    asked, op, threshold = _split(query)
    ranges = [found.range for found in _walk(query) if isinstance(found, RangeAggregation)]
    recorded = list(names(query))
    looks = [(each.offset_ns, each.offset_ns + each.range_ns) for each in ranges]
    looks += [(each.offset_ns, each.offset_ns + LOOKBACK_NS) for each in recorded]
    return Expression(
        str(asked),
        op,
        threshold,
        Reach(min((near for near, _ in looks), default=0), max((far for _, far in looks), default=0)),
        tuple(dict.fromkeys(each.log.selector for each in ranges)),
        _is_counting(asked),
        tuple(dict.fromkeys(each.name for each in recorded)),
    )


def _split(query: Metric) -> tuple[Metric, str, float]:
    if isinstance(query, Binary) and query.op in _TESTS and not query.returns_bool and query.matching is None:
        if isinstance(query.right, Number) and not isinstance(query.left, Number):
            return query.left, query.op, query.right.value
        if isinstance(query.left, Number) and not isinstance(query.right, Number):
            return query.right, _TURNED[query.op], query.left.value
    return query, "", 0.0


def _is_counting(query: Metric) -> bool:
    if isinstance(query, VectorAggregation):
        return query.function in _KEEPING and _is_counting(query.operand)
    return isinstance(query, RangeAggregation) and query.function in _COUNTING


def _walk(query: Metric) -> Iterator[Metric]:
    yield query
    if isinstance(query, Binary):
        yield from _walk(query.left)
        yield from _walk(query.right)
    elif isinstance(query, VectorAggregation | LabelReplace):
        yield from _walk(query.operand)
