"""Answer a metric query: evaluate it on its grid, then put the samples in order."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from tailrace.errors import QueryError
from tailrace.limits import SERIES_LIMIT
from tailrace.query.evaluate import Evaluation
from tailrace.query.functions.approx_topk import ApproxTopk
from tailrace.query.result import SERIES_SCHEMA, Series
from tailrace.query.samples import LABEL, Samples
from tailrace.query.syntax import Binary, LabelReplace, VectorAggregation

_TWIN: Final = "_twin"

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.contracts import Snapshot
    from tailrace.query.grid import Grid
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import Metric


def series(
    query: Metric, grid: Grid, snapshot: Callable[[], Snapshot], reading: Reading, *, ranged: bool, cut: bool = False
) -> Series:
    """Answer a metric query at the points of a grid; `cut` has the largest series where there are too many."""
    if ranged and _has(query, ApproxTopk.name):
        raise QueryError(f"`{ApproxTopk.name}` is for instant queries, not for ranges", hint="topk takes its place")
    value = Evaluation(grid, cache(snapshot), reading).value(query, SERIES_LIMIT if cut else 0)
    kind: Literal["vector", "matrix", "scalar"] = "vector"
    if isinstance(value, float):
        steps = pl.int_range(grid.points, dtype=pl.Int64, eager=True)
        value = Samples(pl.DataFrame({"step": steps}).with_columns(value=pl.lit(value, pl.Float64)))
        kind = "scalar"
    if ranged:
        kind = "matrix"
        value = replace(value, ordered=False)  # a matrix is in the order of its labels
    value = _told_apart(value)
    warnings: tuple[str, ...] = ()
    if cut:
        value, warnings = _largest(value)
    labels, frame = _sorted(value, grid)
    complete = not warnings
    if reading.stats.approximate:
        warnings = (*warnings, reading.stats.approximate)
    return Series(kind, labels, frame, reading.stats, complete, warnings)


def _largest(samples: Samples) -> tuple[Samples, tuple[str, ...]]:
    """Keep the series with the largest totals, as many as may be answered, with all their points; say so."""
    if samples.among > SERIES_LIMIT:
        return samples, (_fewer(samples.among),)
    keys = [*samples.labels, *([_TWIN] if _TWIN in samples.frame.columns else [])]
    if not keys:
        return samples, ()
    totals = samples.frame.group_by(keys).agg(pl.col("value").fill_nan(0).sum().alias("_total"))
    if totals.height <= SERIES_LIMIT:
        return samples, ()
    kept = totals.sort("_total", *keys, descending=[True, *[False] * len(keys)], nulls_last=True).head(SERIES_LIMIT)
    frame = samples.frame.join(kept.select(keys), on=keys, how="semi", nulls_equal=True)
    return replace(samples, frame=frame), (_fewer(totals.height),)


def _fewer(among: int) -> str:
    return f"too many series: of {among} the {SERIES_LIMIT} largest are shown"


def _has(query: Metric, function: str) -> bool:
    """Tell whether a vector aggregation of that name stands anywhere in a query."""
    if isinstance(query, VectorAggregation):
        return query.function == function or _has(query.operand, function)
    if isinstance(query, Binary):
        return _has(query.left, function) or _has(query.right, function)
    return isinstance(query, LabelReplace) and _has(query.operand, function)


def _told_apart(samples: Samples) -> Samples:
    """Give numbers to series that have become equal, as `label_replace` may make them: both are answered."""
    keys = [*samples.labels, "step"]
    if not samples.frame.select(pl.struct(keys).is_duplicated().any()).item():
        return samples
    return replace(samples, frame=samples.frame.with_columns(pl.col("value").rank("ordinal").over(keys).alias(_TWIN)))


def _sorted(samples: Samples, grid: Grid) -> tuple[tuple[dict[str, str], ...], pl.DataFrame]:
    """Give numbers to the label sets in order and lay the samples out by series, then time."""
    columns = [*samples.labels, *([_TWIN] if _TWIN in samples.frame.columns else [])]
    sets = samples.frame.select(columns).unique(maintain_order=True)
    if sets.height > SERIES_LIMIT:
        raise QueryError(
            f"the query makes {sets.height} series, {SERIES_LIMIT} are allowed",
            hint="group by fewer labels, or take the largest: topk(10, sum by (…) (…))",
        )
    found = [
        {name.removeprefix(LABEL): value for name, value in row.items() if value is not None}
        for row in sets.select(samples.labels).iter_rows(named=True)
    ]
    order = list(range(len(found)))
    if not samples.ordered:
        twins = sets[_TWIN].to_list() if _TWIN in columns else [0] * len(found)
        order.sort(key=lambda index: (sorted(found[index].items()), twins[index]))
    time = pl.col("step") * grid.step_ns + grid.first_ns
    if columns:
        numbers = pl.DataFrame({"_at": order}).with_row_index("series").sort("_at")["series"]
        numbered = sets.with_columns(series=numbers)
        frame = samples.frame.join(numbered, on=columns, how="left", nulls_equal=True)
    else:
        frame = samples.frame.with_columns(series=pl.lit(0, pl.UInt32))
        found, order = ([{}], [0]) if frame.height else ([], [])
    frame = frame.select(pl.col("series").cast(pl.UInt32), _time_ns=time, value="value").sort("series", "_time_ns")
    assert frame.schema == pl.Schema(SERIES_SCHEMA)
    return tuple(found[index] for index in order), frame
