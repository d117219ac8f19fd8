"""From totals per cell to samples per window: each cell counts for the grid points `lo` to `hi`.

The totals of a series over the grid are a step function: a cell adds at `lo` and takes away behind `hi`. Summing these
changes costs the number of cells, not cells times windows, and integers make it exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.query.samples import LABEL

if TYPE_CHECKING:
    from tailrace.query.grid import Cells


def spread(totals: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """Return label columns, `step`, `lines` and `bytes`, one row per series and point with a line in its window."""
    if cells.whole:
        return totals.with_columns(step=pl.lit(0, pl.Int64))
    inside = _inside(totals, cells)
    labels = [column for column in totals.columns if column.startswith(LABEL)]
    if inside.select((pl.col("lo") == pl.col("hi")).all()).item():
        once = inside.rename({"lo": "step"}).drop("hi")
        return once.group_by(*labels, "step").agg(pl.col("lines").sum(), pl.col("bytes").sum())
    changes = pl.concat(
        [
            inside.select(*labels, "lines", "bytes", step="lo"),
            inside.select(*labels, -pl.col("lines"), -pl.col("bytes"), step=pl.col("hi") + 1),
        ]
    )
    changes = changes.group_by(*labels, "step").agg(pl.col("lines").sum(), pl.col("bytes").sum()).sort(*labels, "step")
    series = pl.struct(labels).rle_id() if labels else pl.lit(0, pl.UInt32)
    running = changes.with_columns(_series=series).with_columns(
        pl.col("lines").cum_sum().over("_series"),
        pl.col("bytes").cum_sum().over("_series"),
        _next=pl.col("step").shift(-1).over("_series"),
    )
    held = running.filter(pl.col("lines") > 0)  # the last change of a series takes away all, so `_next` exists
    points = held.with_columns(step=pl.int_ranges("step", "_next")).explode("step")
    return points.select(*labels, "step", "lines", "bytes")


def largest(totals: pl.DataFrame, cells: Cells, measure: str, count: int) -> tuple[pl.DataFrame, int]:
    """Return the totals of the series that are largest over all points, and how many series there are.

    A cell counts as often as there are points that it counts for, so no window is made of series that are left out.
    """
    labels = sorted(column for column in totals.columns if column.startswith(LABEL))
    if not labels:
        return totals, min(totals.height, 1)
    inside = totals if cells.whole else _inside(totals, cells)  # not what is returned: `spread` cuts cells itself
    points = pl.lit(1) if cells.whole else pl.col("hi") - pl.col("lo") + 1
    sums = inside.group_by(labels).agg((pl.col(measure) * points).sum().alias("_total"))
    if sums.height <= count:
        return totals, sums.height
    order = sums.sort("_total", *labels, descending=[True, *[False] * len(labels)])
    return totals.join(order.head(count).select(labels), on=labels, how="semi", nulls_equal=True), sums.height


def _inside(totals: pl.DataFrame, cells: Cells) -> pl.DataFrame:
    """Return the cells that count for a point of the grid, from `lo` to `hi`."""
    if cells.even:
        totals = totals.with_columns(hi=pl.col("lo") + (cells.range_ns // cells.grid.step_ns - 1))
    last = cells.grid.points - 1
    inside = totals.with_columns(pl.col("lo").clip(lower_bound=0), pl.col("hi").clip(upper_bound=last))
    return inside.filter(pl.col("lo") <= pl.col("hi"))
