"""Totals of whole segments, counted once: a segment never changes, so neither does what a question counts in it.

Dashboards ask again every few seconds for the last minutes, whose lines lie in one small segment per commit. Of those
that lie wholly in one cell of the grid, totals are kept by segment and question; only the newest and those that the
window's edges cut are read anew. Small ones only: a large one is cut by most windows, and its scan uses all cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import TOTALS_HELD, TOTALS_ROWS
from tailrace.query.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tailrace.contracts import Segments
    from tailrace.query.grid import Cells
    from tailrace.query.plan import Branch
    from tailrace.query.reads import Reading, Span

ALONE: Final = 8
"""Segments that one query reads one by one to keep their totals; further ones are cheaper read together."""

GROUPS: Final = 1_000
"""Most groups of a segment whose totals are kept: beyond, reading it again is about as cheap."""

_totals: Totals[tuple[str, Hashable]] = Totals(TOTALS_HELD)


def remembered(
    question: Hashable,
    branch: Branch,
    segments: Segments,
    span: Span,
    cells: Cells,
    reading: Reading,
    read: Callable[[Segments], pl.DataFrame],
) -> tuple[pl.DataFrame | None, Segments]:
    """Return totals of segments with the keys of their cells, None if there are none, and the segments that are left.

    `read` totals the lines of one segment that the branch's scan lets pass; `question` says all that this depends on,
    besides the segment.
    """
    whole = _whole(branch, segments, span, cells)
    held = _totals.known((path, question) for path in whole["path"])
    kept = {path: totals for (path, _), totals in held.items()}
    many = any(totals is None for totals in kept.values())
    for path in [path for path in whole["path"] if path not in kept and not many][:ALONE]:
        totals = read(segments.only([path]))
        kept[path] = totals if totals.height <= GROUPS else None
        _totals.keep((path, question), kept[path])
        if kept[path] is None:
            break  # the others will have as many
    found = {path: totals for path, totals in kept.items() if totals is not None}
    if not found:
        return None, segments
    reading.count(segments.only(list(found)))
    keys = [column for column in whole.columns if column != "path"]
    cell = {path: values for path, *values in whole.iter_rows()}
    named = [
        totals.with_columns(pl.lit(value, pl.Int64).alias(key) for key, value in zip(keys, cell[path], strict=True))
        if keys
        else totals
        for path, totals in found.items()
    ]
    left = [path for path in segments.frame["path"] if path not in found]
    return pl.concat(named), segments.only(left)


def _whole(branch: Branch, segments: Segments, span: Span, cells: Cells) -> pl.DataFrame:
    """Return path and keys of the segments all of whose lines count for the same points, newest first."""
    first, last = pl.col("min_time_ns"), pl.col("max_time_ns")
    inside = (first >= span.start_ns) & (last < span.end_ns) & (pl.col("rows") <= TOTALS_ROWS)
    for low, high in zip(cells.keys(first), cells.keys(last), strict=True):
        inside &= low == high
    mixed = branch.foreign["path"].unique().to_list()
    found = segments.frame.filter(inside, ~pl.col("path").is_in(mixed)).sort(last, descending=True)
    return found.select("path", *cells.keys(first))
