"""What a rule's expression tells before it is asked: its threshold, how far back it looks, what it reads. Pure.

`x > 5` is asked as `x`: then rules that differ in their thresholds share one query, and a value that does not reach
the threshold (zero) is told from a series that is not there (empty). That is done only where a series that is not there
is silent for sure: not where something else in the expression may have filtered it out (`x > 1 < 5`, `x and y`,
`topk(3, x) > 5`, `absent_over_time(…) > 0`). Those are asked as they are, and what does not come out is not true.

Of what counts lines, silence is a number: that of the expression with 0 in the place of its functions. A side of `+`,
`-` or `/` that is silent counts as 0 where the other one has the series: `errors / all > 0.1` ends with the errors.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluate.copies import CopiesEngine
from tailrace.alerts.evaluate.windows import Reach
from tailrace.query import functions
from tailrace.query.check import is_number
from tailrace.query.evaluate import Evaluation
from tailrace.query.grid import instant
from tailrace.query.named import LOOKBACK_NS, names
from tailrace.query.parser import parse
from tailrace.query.reads import Reading
from tailrace.query.result import Stats
from tailrace.query.syntax import (
    COMPARISONS,
    SETS,
    Binary,
    LabelReplace,
    LogQuery,
    Named,
    Number,
    RangeAggregation,
    VectorAggregation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tailrace.contracts import Snapshot
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

_KEEPING: Final = {"max", "min", "avg"}
"""Aggregations whose value is that of their series, if those are alike; so is a sum of zeros."""

_CHOOSING: Final = {"topk", "bottomk", "approx_topk"}
"""Aggregations that leave out series that are there."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, taken apart: `asked` is compared by `op` with `threshold`, unless `op` is empty."""

    asked: str
    op: str
    threshold: float
    reach: Reach
    selectors: tuple[Selector, ...]
    silent: float | None  # the value of a series that is silent; None where silence is no number
    names: tuple[str, ...] = ()  # of series that rules recorded

    natural: bool = False  # it is a count or a rate, never less than 0

    @property
    def counting(self) -> bool:
        """Tell whether a series that is silent has a value."""
        return self.silent is not None

    def holds(self, value: float) -> bool:
        """Tell whether a value of `asked` fulfils the condition."""
        return not self.op or _TESTS[self.op](value, self.threshold)

    def knowing(self, silents: Mapping[str, float | None]) -> float | None:
        """Return the value of a series that is silent, if it is known of what rules recorded."""
        query = parse(self.asked, names=True)
        assert not isinstance(query, LogQuery), "it was read before"
        return _silent(query, silents)


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
        _silent(asked, {}),
        tuple(dict.fromkeys(each.name for each in recorded)),
        _silent(asked, {}) == 0 and not any(isinstance(part, Binary) for part in _walk(asked)),
    )


def _split(query: Metric) -> tuple[Metric, str, float]:
    if not (isinstance(query, Binary) and query.op in _TESTS) or query.returns_bool:
        return query, "", 0.0
    left, right, op = query.left, query.right, str(query.op)
    if is_number(left):
        left, right, op = right, left, _TURNED[op]
    if is_number(left) or not is_number(right) or _filters(left):
        return query, "", 0.0
    return _filled(left), op, _number(right)


def _filters(query: Metric) -> bool:
    """Tell whether a series may be left out that is there."""
    if isinstance(query, Binary):
        compares = query.op in COMPARISONS and not query.returns_bool and not is_number(query)
        return compares or query.op in {"and", "unless"} or _filters(query.left) or _filters(query.right)
    if isinstance(query, VectorAggregation):
        return query.function in _CHOOSING or _filters(query.operand)
    if isinstance(query, LabelReplace):
        return _filters(query.operand)
    return isinstance(query, RangeAggregation) and query.function == functions.ABSENT


def _filled(query: Metric) -> Metric:
    """Let a side that counts be 0 where only the other side has a series."""
    if isinstance(query, VectorAggregation | LabelReplace):
        return replace(query, operand=_filled(query.operand))
    if not isinstance(query, Binary):
        return query
    left, right = _filled(query.left), _filled(query.right)
    both = _silent(left, {}) == 0 and _silent(right, {}) == 0
    if both and query.op in {"+", "-", "/"} and query.matching is None:
        zeros = (
            Binary("or", left, Binary("*", right, Number(0.0))),
            Binary("or", right, Binary("*", left, Number(0.0))),
        )
        return replace(query, left=zeros[0], right=right if query.op == "/" else zeros[1])
    return replace(query, left=left, right=right)


def _silent(query: Metric, known: Mapping[str, float | None]) -> float | None:
    """Return the value where there are no lines, None if that is no number; `known` is that of recorded series."""
    if isinstance(query, Named):
        return known.get(query.name)
    if isinstance(query, LabelReplace):
        return _silent(query.operand, known)
    if isinstance(query, VectorAggregation):
        inner = _silent(query.operand, known)
        return inner if query.function in _KEEPING or (query.function == "sum" and inner == 0) else None
    if isinstance(query, Binary):
        return _silent_sides(query, known)
    return 0.0 if isinstance(query, RangeAggregation) and query.function in _COUNTING else None


def _silent_sides(query: Binary, known: Mapping[str, float | None]) -> float | None:
    if query.op in SETS:
        sides = _silent(query.left, known), _silent(query.right, known)
        return 0.0 if query.op == "or" and sides == (0.0, 0.0) else None
    if query.op in COMPARISONS and not query.returns_bool:
        return None
    numbers = [_number(side) if is_number(side) else _silent(side, known) for side in (query.left, query.right)]
    left, right = numbers
    if left is None or right is None:
        return None
    alone = is_number(query.left) or is_number(query.right)
    if not alone and not (query.op in {"+", "-"} and query.matching is None):
        return None
    return _number(replace(query, left=Number(left), right=Number(right)))


def _number(query: Metric) -> float:
    """Return what an operator makes of numbers, as a query would."""
    value = Evaluation(instant(0), _no_table, Reading(CopiesEngine(), Stats(), 1.0)).value(query)
    assert isinstance(value, float), "operators on numbers give a number"
    return value


def _no_table() -> Snapshot:
    raise AssertionError("numbers touch no table")


def _walk(query: Metric) -> Iterator[Metric]:
    yield query
    if isinstance(query, Binary):
        yield from _walk(query.left)
        yield from _walk(query.right)
    elif isinstance(query, VectorAggregation | LabelReplace):
        yield from _walk(query.operand)
