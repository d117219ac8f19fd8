"""Who reads a metric: rules and panels whose queries its numbers can answer, or that name a recorded series. Pure.

Comes in: queries by the name of their owner. A query that cannot be read has no metrics; its owner says why elsewhere.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tailrace.errors import QueryError
from tailrace.query.evaluate import aggregations
from tailrace.query.named import names
from tailrace.query.parser import parse
from tailrace.query.syntax import LogQuery
from tailrace.rollups.views import views

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tailrace.query.needs import Needs
    from tailrace.query.syntax import RangeAggregation
    from tailrace.rollups.model import Metric


def readers_of(metric: Metric, queries: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return name and address of the owners of those queries, (name, address, query), that the metric can answer."""
    kept = views(metric)
    return [
        (name, url)
        for name, url, query in queries
        if any(view.answers(asked, needs) for asked, needs in _asked(query)[0] for view in kept)
    ]


def readers_of_series(series: str, queries: Iterable[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return name and address of the owners of those queries that name a recorded series."""
    return [(name, url) for name, url, query in queries if series in _asked(query)[1]]


@lru_cache(maxsize=16_384)
def _asked(query: str) -> tuple[tuple[tuple[RangeAggregation, Needs], ...], frozenset[str]]:
    """Return what a query reads of lines, and the recorded series that it names."""
    try:
        tree = parse(query, names=True)
    except QueryError:
        return (), frozenset()
    if isinstance(tree, LogQuery):
        return (), frozenset()
    return tuple(aggregations(tree)), frozenset(one.name for one in names(tree))
