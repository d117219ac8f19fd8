"""Series that rules recorded, as a part of queries: `cart:errors:rate5m{host="a"} > 1`.

Comes in: who keeps them (`Recorded`), and a query's part that names them. Goes out: samples on the query's grid: of
each series the newest within five minutes before each point, none if the series has ended since. As in PromQL,
operators on two sides and aggregations drop the name, comparisons with a number and `topk` keep it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from tailrace.errors import QueryError
from tailrace.query.parser import parse, parse_selector
from tailrace.query.samples import EMPTY, LABEL, Samples
from tailrace.query.streams import select
from tailrace.query.syntax import (
    COMPARISONS,
    SETS,
    Binary,
    LabelReplace,
    Matcher,
    Matching,
    Named,
    Number,
    Selector,
    VectorAggregation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.query.grid import Grid
    from tailrace.query.syntax import Metric

LOOKBACK_NS: Final = 5 * 60 * 10**9
"""A sample is older than nothing for this long."""

NAME: Final = "__name__"
_KEEPING: Final = frozenset({"topk", "bottomk", "sort", "sort_desc", "approx_topk"})


SAMPLES: Final = {"key": pl.String(), "_time_ns": pl.Int64(), "value": pl.Float64(), "stale": pl.Boolean()}
"""The columns of samples: `key` is all labels (see `batch.stream_text`), `stale` says that the series ended there."""


class Recorded(Protocol):
    """Who keeps recorded series; any thread may ask."""

    def samples(self, name: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return the samples of a name with `start_ns <= time < end_ns`, each once.

        Columns: `SAMPLES`.
        """
        ...


def on_grid(named: Named, recorded: Recorded, grid: Grid) -> Samples:
    """Return the newest sample of each series at each point."""
    first_ns, last_ns = grid.first_ns - named.offset_ns, grid.last_ns - named.offset_ns
    rows = recorded.samples(named.name, first_ns - LOOKBACK_NS + 1, last_ns + 1)
    labels = chosen(rows["key"].unique().to_list(), [Selector(named.matchers)])
    if labels.is_empty():
        return Samples(EMPTY)
    if named.plain and LABEL + NAME in labels.columns:
        labels = labels.drop(LABEL + NAME)
    until = pl.col("_time_ns").shift(-1).over("key").fill_null(last_ns + 1)
    ends = pl.min_horizontal(until, pl.col("_time_ns") + LOOKBACK_NS) - 1  # the last time at which it is the newest
    step_ns = grid.step_ns
    spans = rows.sort("key", "_time_ns").with_columns(
        lo=((pl.col("_time_ns") - first_ns + step_ns - 1) // step_ns).clip(lower_bound=0),
        hi=((ends - first_ns) // step_ns).clip(upper_bound=grid.points - 1),
    )
    kept = spans.filter(~pl.col("stale"), pl.col("lo") <= pl.col("hi"))
    points = kept.select("key", "value", step=pl.int_ranges("lo", pl.col("hi") + 1)).explode("step")
    joined = points.join(labels, on="key", how="inner")
    return Samples(joined.select(*(name for name in labels.columns if name != "key"), "step", "value"))


def chosen(keys: Sequence[str], selectors: Sequence[Selector]) -> pl.DataFrame:
    """Return `key` and a column per label of the series that any selector accepts."""
    tables = [select(keys, each) for each in selectors]
    table = pl.concat(tables, how="diagonal").unique("_stream") if len(tables) > 1 else tables[0]
    return table.rename(lambda column: "key" if column == "_stream" else LABEL + column.removeprefix("stream."))


def selector(text: str) -> Selector:
    """Read a selector as lists of series take it: `{host="a"}`, or a name with or without one; `{}` is allowed."""
    if text.lstrip().startswith("{"):
        return parse_selector(text)
    query = parse(text, names=True)
    if not isinstance(query, Named) or query.offset_ns:
        raise QueryError("this is no selector of series", query=text, position=0, hint='as up{host="a"} or {host="a"}')
    return Selector((Matcher(NAME, "=", query.name), *query.matchers))


def names(metric: Metric) -> Iterator[Named]:
    """Yield the names in a query."""
    if isinstance(metric, Named):
        yield metric
    elif isinstance(metric, Binary):
        yield from names(metric.left)
        yield from names(metric.right)
    elif isinstance(metric, VectorAggregation | LabelReplace):
        yield from names(metric.operand)


def nameless(metric: Metric, *, plain: bool = False) -> Metric:
    """Return a query whose recorded series have their name only where PromQL keeps it."""
    if isinstance(metric, Named):
        return replace(metric, plain=plain)
    if isinstance(metric, VectorAggregation):
        asked = metric.grouping is not None and not metric.grouping.without and NAME in metric.grouping.labels
        below = not asked and (plain or metric.function not in _KEEPING)
        return replace(metric, operand=nameless(metric.operand, plain=below))
    if isinstance(metric, LabelReplace):
        return replace(metric, operand=nameless(metric.operand, plain=plain))
    if isinstance(metric, Binary):
        return _sides(metric, plain=plain)
    return metric


def _sides(metric: Binary, *, plain: bool) -> Binary:
    scalar = isinstance(metric.left, Number) or isinstance(metric.right, Number)
    keeps = metric.op in SETS or (scalar and metric.op in COMPARISONS and not metric.returns_bool)
    below = plain or not keeps
    matching = metric.matching
    if metric.op in SETS and not (matching is not None and matching.on):
        listed = () if matching is None else matching.labels
        matching = Matching(on=False, labels=(*listed, NAME))
    left, right = (nameless(side, plain=below) for side in (metric.left, metric.right))
    return replace(metric, left=left, right=right, matching=matching)
