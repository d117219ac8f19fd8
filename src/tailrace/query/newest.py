"""The first lines of an answer from the segments at the near end of the window, each looked at alone, and remembered.

Most questions are for the newest hundred lines, asked again every few seconds by everybody. A segment never changes, so
what a query finds first in one is kept and only the segment of the last commit is read anew. Segments are taken from
the near end until none that is left can come before the last line that is wanted; when that takes many, or a large one,
there is no answer here and the whole plan is made (`lines.lines`). Exact: what comes first of all is first in its
segment, and order and repeats are settled over all of them at the end.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import NEWEST_LINES, NEWEST_ROWS_CACHED
from tailrace.query.lines import EVERYTHING, LARGEST_STRETCH, ORDER, Window, in_order, stacked, walk
from tailrace.query.plan import plan_segments
from tailrace.query.result import Lines

if TYPE_CHECKING:
    from tailrace.contracts import Segments, Snapshot
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import LogQuery

SEGMENTS: Final = 8
"""Segments that are looked at alone; a plan over all is cheaper than more of these."""

_known: OrderedDict[tuple[str, str, str, int], pl.DataFrame] = OrderedDict()
_lock = threading.Lock()


def newest(query: LogQuery, window: Window, snapshot: Snapshot, reading: Reading) -> Lines | None:
    """Return the answer of a query for few lines, or None if it takes more than a few small segments."""
    if not 0 < window.limit <= NEWEST_LINES:
        return None
    segments = snapshot.segments(window.start_ns, window.end_ns)
    backward = window.direction == "backward"
    near = "max_time_ns" if backward else "min_time_ns"
    order = segments.frame.sort(near, descending=backward)
    found = stacked([])
    for place, (path, rows, edge) in enumerate(order.select("path", "rows", near).iter_rows()):
        if found.height >= window.limit and _behind(edge, found, backward=backward):
            break
        if place >= SEGMENTS or rows > LARGEST_STRETCH:
            return None
        first = _first(query, window, snapshot, segments.only([path]), reading)
        found = _head(stacked([found, first]), window)
        if found.height * SEGMENTS < window.limit * (place + 1):
            return None  # at this rate they would not be enough
    reading.considered(segments)
    return Lines(in_order(found, window), reading.stats)


def _behind(edge: int, found: pl.DataFrame, *, backward: bool) -> bool:
    """Tell whether a segment that begins at `edge` cannot come before the last line found."""
    last = int(found["_time_ns"][-1])
    return edge < last if backward else edge > last


def _first(query: LogQuery, window: Window, snapshot: Snapshot, segment: Segments, reading: Reading) -> pl.DataFrame:
    """Return the first lines of one segment within the window, in order, with all columns that order needs."""
    path, low, high = segment.frame.select("path", "min_time_ns", "max_time_ns").row(0)
    backward = window.direction == "backward"
    cut = high >= window.end_ns if backward else low < window.start_ns  # the near end is not the segment's
    inside = pl.col("_time_ns").is_between(window.start_ns, window.end_ns, closed="left")
    key = (path, str(query), window.direction, window.limit)
    with _lock:
        known = None if cut else _known.get(key)
        if known is not None:
            _known.move_to_end(key)
    reading.count(segment)
    if known is not None:
        return known.filter(inside)
    span = Window(window.start_ns if cut else low, window.end_ns if cut else high + 1, window.limit, window.direction)
    plan = plan_segments(query, EVERYTHING, (span.start_ns, span.end_ns), snapshot, reading.engine, segment)
    frames: list[pl.DataFrame] = []
    for frame in walk(plan, span, reading):
        frames.append(frame)
        if stacked(frames).height >= window.limit:
            break
    found = _head(stacked(frames), window)
    if not cut:
        _keep(key, found)
    return found.filter(inside)


def _head(frame: pl.DataFrame, window: Window) -> pl.DataFrame:
    backward = window.direction == "backward"
    order = frame.sort(ORDER, descending=backward, nulls_last=backward, maintain_order=True)
    return order.head(window.limit)


def _keep(key: tuple[str, str, str, int], frame: pl.DataFrame) -> None:
    with _lock:
        _known[key] = frame
        while len(_known) > 1 and sum(max(1, one.height) for one in _known.values()) > NEWEST_ROWS_CACHED:
            _known.popitem(last=False)
