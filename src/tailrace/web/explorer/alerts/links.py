"""Ways from an alert: to the lines that it is about, and to a silence of it. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tailrace.errors import QueryError
from tailrace.query.parser import parse
from tailrace.query.syntax import Binary, LogQuery, Matcher, Metric, RangeAggregation, VectorAggregation
from tailrace.web.explorer.alerts.standing import silence_text
from tailrace.web.explorer.search.state import State
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def rows_url(expr: str, labels: Mapping[str, str], start_ns: int, end_ns: int = 0) -> str:
    """Return the address of the lines that an alert is about; empty where its expression counts none.

    Of the labels those are asked for that the expression groups by; the others are the rule's own, no line has them.
    """
    query, far_ns, by = _lines(expr)
    if not query:
        return ""
    asked = "".join(f" | {Matcher(name, '=', value)}" for name, value in sorted(labels.items()) if name in by)
    return State(q=query + asked, start=iso(start_ns - far_ns), end=iso(end_ns) if end_ns else "").url()


def silence_url(labels: Mapping[str, str]) -> str:
    """Return the address at which a silence of an alert is begun."""
    return f"/alerts/silences?{urlencode({'matchers': silence_text(labels)})}#new"


@lru_cache(maxsize=1_024)
def _lines(expr: str) -> tuple[str, int, frozenset[str]]:
    """Return the query of the lines that an expression counts first, how far it looks back, and what it groups by."""
    try:
        tree = parse(expr, names=True)
    except QueryError:
        return "", 0, frozenset()
    parts = [] if isinstance(tree, LogQuery) else list(walk(tree))
    ranges = [part for part in parts if isinstance(part, RangeAggregation)]
    if not ranges:
        return "", 0, frozenset()
    groups = [part.grouping for part in parts if isinstance(part, RangeAggregation | VectorAggregation)]
    by = frozenset(label for group in groups if group and not group.without for label in group.labels)
    first = ranges[0].range
    return str(first.log), first.range_ns + first.offset_ns, by


def walk(tree: Metric) -> Iterator[Metric]:
    """Yield all parts of an expression, from the outside in."""
    yield tree
    if isinstance(tree, Binary):
        yield from walk(tree.left)
        yield from walk(tree.right)
    elif hasattr(tree, "operand"):
        yield from walk(tree.operand)
