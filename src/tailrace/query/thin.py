"""Leave out lines that follow too closely: what `interval` of a range query means.

In: the pages of a log query, in answer order. Out: its lines, each at least `interval_ns` from the one before it that
is kept, over all streams; as many as the limit. Reading stops with the page that fills it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tailrace.query.result import LINES_SCHEMA, Lines, Stats
from tailrace.query.run import pages

if TYPE_CHECKING:
    from tailrace.contracts import Engine, Table
    from tailrace.query.run import Request


def thinned(request: Request, interval_ns: int, table: Table, engine: Engine) -> Lines:
    """Answer a log query, at least `interval_ns` between its lines."""
    frames: list[pl.DataFrame] = []
    last_ns: int | None = None
    left, stats, began_s = request.limit, Stats(), time.perf_counter()
    for page in pages(replace(request, limit=0), table, engine):
        stats = page.stats
        rows, last_ns = _kept(page.frame["_time_ns"], interval_ns, last_ns, left)
        frames.append(page.frame[rows])
        left -= len(rows)
        if left <= 0:
            break
    stats.seconds = time.perf_counter() - began_s
    return Lines(pl.concat([pl.DataFrame(schema=LINES_SCHEMA), *frames], how="diagonal"), stats)


def _kept(times: pl.Series, interval_ns: int, last_ns: int | None, limit: int) -> tuple[list[int], int | None]:
    """Return the rows to keep, and the time of the last; costs a search for each, not a look at every row."""
    rising = len(times) < 2 or int(times[0]) <= int(times[-1])  # noqa: PLR2004  two make an order
    rows: list[int] = []
    distance = times if rising else -times
    at = 0
    while len(rows) < limit:
        if last_ns is not None:
            edge = (last_ns if rising else -last_ns) + interval_ns
            at = max(at, int(distance.search_sorted(edge, side="left")))
        if at >= len(times):
            break
        rows.append(at)
        last_ns = int(times[at])
        at += 1
    return rows, last_ns
