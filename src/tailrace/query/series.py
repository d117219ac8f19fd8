"""Answer a metric query: evaluate it on its grid, then put the samples in order."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import polars as pl

from tailrace.errors import QueryError
from tailrace.limits import SERIES_LIMIT
from tailrace.query.evaluate import Evaluation
from tailrace.query.result import SERIES_SCHEMA, Series
from tailrace.query.samples import LABEL, Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.contracts import Snapshot
    from tailrace.query.grid import Grid
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import Metric


def series(query: Metric, grid: Grid, snapshot: Callable[[], Snapshot], reading: Reading, *, ranged: bool) -> Series:
    """Answer a metric query at the points of a grid."""
    value = Evaluation(grid, cache(snapshot), reading).value(query)
    kind: Literal["vector", "matrix", "scalar"] = "vector"
    if isinstance(value, float):
        steps = pl.int_range(grid.points, dtype=pl.Int64, eager=True)
        value = Samples(pl.DataFrame({"step": steps}).with_columns(value=pl.lit(value, pl.Float64)))
        kind = "scalar"
    if ranged:
        kind = "matrix"
    labels, frame = _sorted(value, grid)
    return Series(kind, labels, frame, reading.stats)


def _sorted(samples: Samples, grid: Grid) -> tuple[tuple[dict[str, str], ...], pl.DataFrame]:
    """Give numbers to the label sets in order and lay the samples out by series, then time."""
    sets = samples.frame.select(samples.labels).unique()
    if sets.height > SERIES_LIMIT:
        raise QueryError(
            f"the query makes {sets.height} series, {SERIES_LIMIT} are allowed",
            hint="group by fewer labels, or take the largest: topk(10, sum by (…) (…))",
        )
    found = [
        {name.removeprefix(LABEL): value for name, value in row.items() if value is not None}
        for row in sets.iter_rows(named=True)
    ]
    order = sorted(range(len(found)), key=lambda index: sorted(found[index].items()))
    time = pl.col("step") * grid.step_ns + grid.first_ns
    if samples.labels:
        numbers = pl.DataFrame({"_at": order}).with_row_index("series").sort("_at")["series"]
        numbered = sets.with_columns(series=numbers)
        frame = samples.frame.join(numbered, on=samples.labels, how="left", nulls_equal=True)
    else:
        frame = samples.frame.with_columns(series=pl.lit(0, pl.UInt32))
        found, order = ([{}], [0]) if frame.height else ([], [])
    frame = frame.select(pl.col("series").cast(pl.UInt32), _time_ns=time, value="value").sort("series", "_time_ns")
    assert frame.schema == pl.Schema(SERIES_SCHEMA)
    return tuple(found[index] for index in order), frame
