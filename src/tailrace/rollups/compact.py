"""Merging rows of the table `rollups`: many small files become few sorted ones, with one row per bucket and label set.

Files are merged with others of about their size, so that a row is written anew a few times in its life. What belongs to
no metric any more goes, and what is older than rollups are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.rollups import states
from tailrace.rollups.definitions import DAY_NS
from tailrace.rollups.table import KEY, SCHEMA, scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.rollups.marks import Marks
    from tailrace.rollups.table import RollupTable
    from tailrace.rollups.views import View

TIER_FILES: Final = 8
"""Files of about one size that are merged; also the growth from size to size."""

TIER_ROWS: Final = 4_096
"""Rows below which a file is of the smallest size."""

MOST_ROWS: Final = 4_000_000
"""Rows that are merged at once: about half a gigabyte."""


def compact(table: RollupTable, views: Mapping[str, View], oldest_ns: int | None) -> int:
    """Merge the files that are due; return how many were."""
    done = 0
    for group in plan(table.snapshot().rows_files()):
        seen = table.snapshot()
        if group.join(seen.files, on="path", how="anti").height:
            continue
        rows = scan(group["path"].to_list()).filter(pl.col("view").is_in(list(views)))
        marks = None if oldest_ns is None else _aged(seen.marks, views, oldest_ns)
        if marks is not None:
            since = {view: mark.since_ns for view, mark in marks.views.items()}
            first = pl.col("view").replace_strict(list(since), list(since.values()), default=0, return_dtype=pl.Int64)
            rows = rows.filter(pl.col("end_ns") > first)
        found = merged(rows.collect(), views)
        if table.commit(seen, add=[("done", found)], remove=group, marks=marks if marks != seen.marks else None):
            done += group.height
    return done


def _aged(marks: Marks, views: Mapping[str, View], oldest_ns: int) -> Marks:
    """Return the marks of views that are kept from a day on; what is older is read from lines, if there are any."""
    for key, mark in marks.views.items():
        if key in views:
            bucket = views[key].bucket_ns
            first = -(-(oldest_ns // DAY_NS * DAY_NS) // bucket) * bucket
            marks = marks.with_view(key, mark.since(first)) if first > mark.since_ns else marks
    return marks


def plan(files: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the groups of files that are to be merged."""
    tier = (pl.col("rows") / TIER_ROWS).clip(lower_bound=1).log(TIER_FILES).floor().alias("_tier")
    groups = []
    for peers in files.sort("first_ns", "path").with_columns(tier).partition_by("_tier", include_key=False):
        whole = peers.with_columns(_part=pl.col("rows").cum_sum() // MOST_ROWS)
        parts = whole.partition_by("_part", include_key=False)
        groups += [part for part in parts if part.height >= TIER_FILES]
    return groups


def merged(rows: pl.DataFrame, views: Mapping[str, View]) -> pl.DataFrame:
    """Return one row per bucket and label set, in order; rows of a counter whose lines come by turns stay apart."""
    found = []
    for (key,), part in rows.partition_by("view", as_dict=True).items():
        kind = views[str(key)].kind
        if kind.name == "counter" and states.by_turns(part, KEY).height:
            found.append(part)
        else:
            found.append(states.merged(kind, part.select(*KEY, *kind.columns), KEY))
    if not found:
        return rows.clear()
    whole = pl.concat(found, how="diagonal")
    return whole.select(name for name in SCHEMA if name in whole.columns).sort("view", "end_ns", "labels")
