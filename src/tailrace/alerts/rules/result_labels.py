"""Tell which labels the series of an expression have, as far as the expression says. Pure.

Comes in: a parsed expression. Goes out: names, and whether these are all and are always there: after `sum by (host)`
they are, of lines that a parser takes apart nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.query.syntax import Binary, LabelReplace, Named, Number, RangeAggregation, VectorAggregation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.query.syntax import Grouping, Query

_KEEPING: Final = ("topk", "bottomk", "sort", "sort_desc", "approx_topk")
"""Aggregations whose series are those of what they take."""


def result_labels(query: Query, streams: Iterable[str] = ()) -> tuple[frozenset[str], bool]:
    """Return names of labels, and whether they are all; `streams` are the labels that streams have."""
    match query:
        case LabelReplace():
            names, exact = result_labels(query.operand, streams)
            return names | {query.target}, exact
        case VectorAggregation() | RangeAggregation() if query.grouping:
            return _grouped(query.grouping, streams)
        case VectorAggregation() if query.function in _KEEPING:
            return result_labels(query.operand, streams)
        case RangeAggregation() | Named():
            return frozenset(streams), False
        case Binary():
            return _joined(query, streams)
    return frozenset(), True  # a sum of everything, or a number


def _joined(query: Binary, streams: Iterable[str]) -> tuple[frozenset[str], bool]:
    sides = [side for side in (query.left, query.right) if not isinstance(side, Number)]
    found = [result_labels(side, streams) for side in sides]
    names = frozenset[str]().union(*(each for each, _ in found))
    return names, all(exact and each == names for each, exact in found)


def _grouped(grouping: Grouping, streams: Iterable[str]) -> tuple[frozenset[str], bool]:
    if grouping.without:
        return frozenset(streams) - {*grouping.labels}, False
    return frozenset(grouping.labels), True
