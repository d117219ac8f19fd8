"""Answer a request: the one door to the table for every question in LogQL.

In: a `Request`, a table and an engine. Out: `Lines` for a log query, `Series` for a metric query. Raises
`QueryError` for what cannot be answered as asked (syntax, limits, errors on lines of a metric query),
`QueryTimeoutError` when it takes too long. Never cuts an answer silently.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from tailrace.errors import QueryError, TransientError
from tailrace.limits import ENTRIES_DEFAULT, QUERY_TIMEOUT_S
from tailrace.query.afresh import afresh
from tailrace.query.grid import Grid, aligned, instant, stepped
from tailrace.query.lines import EVERYTHING, Window, in_order, lines, walk
from tailrace.query.named import nameless
from tailrace.query.newest import newest
from tailrace.query.parser import parse
from tailrace.query.plan import plan
from tailrace.query.reads import Reading, nobody
from tailrace.query.result import Lines, Series, Stats
from tailrace.query.series import series
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from tailrace.contracts import Engine, Table
    from tailrace.query.kept import Kept
    from tailrace.query.named import Recorded


@dataclass(frozen=True, slots=True)
class Request:
    """A question: a query over a range of time.

    `step_ns` None asks for one evaluation of a metric query, at `end_ns`. `limit` counts lines over all
    streams, 0 = all. `aligned` puts the steps on multiples of the step, as Loki does, else they begin at `start_ns`.
    `cut` has the largest series answered, with a warning, where there are too many; else that is refused.
    `cancelled` is asked while the query runs, in its thread; it ends when nobody waits any more.
    """

    query: str
    start_ns: int
    end_ns: int
    step_ns: int | None = None
    limit: int = ENTRIES_DEFAULT
    direction: Literal["backward", "forward"] = "backward"
    timeout_s: float = QUERY_TIMEOUT_S
    aligned: bool = True
    cut: bool = False
    cancelled: Callable[[], bool] = nobody


def run(
    request: Request, table: Table, engine: Engine, kept: Kept | None = None, recorded: Recorded | None = None
) -> Lines | Series:
    """Answer a request.

    What is `kept` of lines may stand in for them in a metric query. With `recorded` a query may name series that rules
    recorded, as `job:lines:rate5m > 1`.
    """
    query = parse(request.query, names=recorded is not None)
    if not isinstance(query, LogQuery):
        query = nameless(query)
    if request.end_ns < request.start_ns:
        raise QueryError("the end of the time range lies before its start", hint="exchange them")

    def ask() -> Lines | Series:
        began = time.perf_counter()
        reading = Reading(engine, Stats(), request.timeout_s, request.cancelled, kept=kept, recorded=recorded)
        if isinstance(query, LogQuery):
            window = Window(request.start_ns, request.end_ns, request.limit, request.direction)
            snapshot = table.snapshot()
            found = newest(query, window, snapshot, reading)
            answer: Lines | Series = lines(query, window, snapshot, reading) if found is None else found
        else:
            ranged = request.step_ns is not None
            answer = series(query, grid_of(request), table.snapshot, reading, ranged=ranged, cut=request.cut)
        reading.finish(time.perf_counter() - began)
        return replace(answer, warnings=(*answer.warnings, *reading.engine.warnings))

    return afresh(ask)


def pages(request: Request, table: Table, engine: Engine) -> Iterator[Lines]:
    """Answer a log query piece by piece, in answer order, in bounded memory however many lines there are.

    The label columns of a piece are those that its lines have. `limit` holds over all pieces.
    """
    query = parse(request.query)
    if not isinstance(query, LogQuery):
        raise QueryError("only a log query has pages", hint='ask for lines, as in {host=~".+"}')
    window = Window(request.start_ns, request.end_ns, request.limit, request.direction)

    def begin() -> tuple[Reading, Iterator[pl.DataFrame]]:
        reading = Reading(engine, Stats(), request.timeout_s, request.cancelled)
        found = plan(query, EVERYTHING, (request.start_ns, request.end_ns), table.snapshot(), reading.engine)
        reading.planned(found)
        frames = walk(found, window, reading)
        return reading, chain([*islice(frames, 1)], frames)  # of later ones, lines were given already

    reading, frames = afresh(begin)
    left = request.limit
    try:
        for frame in frames:
            page = in_order(frame, replace(window, limit=left if request.limit else 0))
            if page.height:
                yield Lines(page, reading.stats)
            left -= page.height
            if request.limit and left <= 0:
                return
    except FileNotFoundError as error:
        raise TransientError("a segment of the table vanished while it was read; ask again") from error


def grid_of(request: Request) -> Grid:
    """Return the evaluation times of a request."""
    if request.step_ns is None:
        return instant(request.end_ns)
    steps = aligned if request.aligned else stepped
    return steps(request.start_ns, request.end_ns, request.step_ns)
