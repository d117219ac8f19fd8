"""Totals of large segments by short stretches of time, counted once: histograms over any range are sums of these.

A segment never changes, so neither does what a question counts in it by the second, or by the minute where it spans
more. People look at one table in ever other ranges and buckets, and most buckets are multiples of such a tick. Kept by
segment and question like `remembered`, which has small segments that lie in one bucket; here are the large ones, whose
scans are what a first view would wait for. Segments that the edges of the range cut are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.limits import TICKS_HELD
from tailrace.query.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tailrace.contracts import Segments
    from tailrace.query.grid import Cells
    from tailrace.query.plan import Branch
    from tailrace.query.reads import Reading, Span

    Key = tuple[str, Hashable, int, int]  # path, question, tick, where a tick begins

LEAST_ROWS: Final = 20_000
"""Rows of a segment that is worth it: smaller ones are read together in less time."""

AT_ONCE: Final = 64
"""Segments that one query counts anew; further ones are read together, and counted by the next query."""

GROUPS: Final = 8_000
"""Most totals of a segment that are kept: beyond, reading it again is about as cheap."""

TICKS_NS: Final = (NS_PER_S, 60 * NS_PER_S, 3_600 * NS_PER_S)
TICKS_MOST: Final = 1_800
"""Ticks of a segment; if it spans more, they are longer."""

TICK: Final = "_tick"

_totals: Totals[Key] = Totals(TICKS_HELD)


def ticked(
    question: Hashable,
    branch: Branch,
    segments: Segments,
    span: Span,
    cells: Cells,
    reading: Reading,
    read: Callable[[Segments, int, int], pl.DataFrame],
) -> tuple[pl.DataFrame | None, Segments]:
    """Return totals of segments with the keys of their cells, None if there are none, and the segments that are left.

    `read` totals the lines of a segment by the tick they lie in: its number is their time, less an origin, by the tick.
    """
    if not (cells.whole or cells.even):
        return None, segments
    found: list[pl.DataFrame] = []
    counted: list[str] = []
    room = 0 if cells.whole else AT_ONCE  # all of a segment at once is quickly read
    for path, first_ns, last_ns in _large(branch, segments, span).iter_rows():
        tick = next((one for one in TICKS_NS if last_ns - first_ns < one * TICKS_MOST), TICKS_NS[-1])
        if not cells.whole and cells.grid.step_ns % tick:
            continue
        origin = 0 if cells.whole else (cells.grid.first_ns - cells.offset_ns + 1) % tick
        key = (path, question, tick, origin)
        held = _totals.known([key])
        totals = held.get(key)
        if key not in held and room:
            room -= 1
            reading.check()
            totals = read(segments.only([path]), tick, origin)
            totals = totals if totals.height <= GROUPS else None
            _totals.keep(key, totals)
        if totals is not None:
            counted.append(path)
            found.append(_in_cells(totals, tick, origin, cells))
    if not counted:
        return None, segments
    reading.count(segments.only(counted))
    left = [path for path in segments.frame["path"] if path not in set(counted)]
    return pl.concat(found, how="diagonal"), segments.only(left)


def _large(branch: Branch, segments: Segments, span: Span) -> pl.DataFrame:
    """Return path and times of the segments that lie wholly in the range, and hold no lines that are not asked for."""
    mixed = branch.foreign["path"].unique().to_list()
    inside = (pl.col("min_time_ns") >= span.start_ns) & (pl.col("max_time_ns") < span.end_ns)
    found = segments.frame.filter(
        inside, pl.col("rows") >= LEAST_ROWS, ~pl.col("path").is_in([*mixed, *segments.parts])
    )
    return found.sort("max_time_ns", descending=True).select("path", "min_time_ns", "max_time_ns")


def _in_cells(totals: pl.DataFrame, tick: int, origin: int, cells: Cells) -> pl.DataFrame:
    """Return totals by cell in the place of ticks, each of which lies in one."""
    keys = cells.keys(pl.col(TICK) * tick + origin)
    sums = [pl.col("lines").sum(), pl.col("bytes").sum()]
    names = [name for name in totals.columns if name not in (TICK, "lines", "bytes")]
    keyed = totals.select(*names, *keys, "lines", "bytes")
    groups = [name for name in keyed.columns if name not in ("lines", "bytes")]
    return keyed.group_by(groups).agg(sums) if groups else keyed.select(sums)
