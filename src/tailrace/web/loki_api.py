"""The read side of Loki's HTTP API, in its exact shapes: Grafana, logcli and alert rules read it unmodified.

Here are the queries; `loki_metadata` and `loki_detected` have the other paths. Each takes GET, and POST with a form.
Failures are one line of plain text. Every answer says in the header `X-Tailrace-Complete` whether it is whole; if it is
not, `warnings` says why.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tailrace import limits
from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.render import loki_response
from tailrace.query.result import Lines
from tailrace.query.run import Request, run
from tailrace.query.syntax import LogQuery
from tailrace.query.thin import thinned
from tailrace.web import loki_detected, loki_metadata
from tailrace.web.answers import answer, categorized, from_drilldown, loki_json, success, written
from tailrace.web.latest import Latest
from tailrace.web.loki_detected import LOKI_VERSION
from tailrace.web.parameters import direction, get_or_post, integer, parameters, query_text
from tailrace.web.ranges import step_ns, time_range
from tailrace.web.services import Services
from tailrace.web.times import duration_ns, time_ns
from tailrace.web.work import Work, begun

PREFIX: Final = "/loki/api/v1"


def routes(services: Services, work: Work) -> APIRouter:
    """Return the endpoints under `/loki/api/v1`."""
    router = APIRouter(prefix=PREFIX)
    _add_queries(router, services, work)
    _add_status(router)
    for part in (loki_metadata, loki_detected):
        router.include_router(part.routes(services, work))
    return router


def _add_queries(router: APIRouter, services: Services, work: Work) -> None:
    latest = Latest(services.table)

    @get_or_post(router, "/query", "query", "time", "limit", "direction", required=["query"])
    async def query(request: HttpRequest) -> Response:
        """Evaluate a metric query at one time."""
        given = await parameters(request)
        text = query_text(given)
        if isinstance(parser.parse(text), LogQuery):
            raise QueryError("log queries are not supported as an instant query type, use query_range instead")
        at_ns = time_ns(given["time"], "time") if given.get("time") else services.clock.now_ns()
        limit = integer(given, "limit", limits.ENTRIES_DEFAULT)
        shape = partial(answer, headers=request.headers)
        asked = Request(text, at_ns, at_ns, None, limit, direction(given), cut=from_drilldown(request.headers))
        return await work.query(request, asked, services, shape)

    names = ("query", "start", "end", "since", "limit", "direction", "step", "interval")

    @get_or_post(router, "/query_range", *names, required=["query"])
    async def query_range(request: HttpRequest) -> Response:
        """Return the lines of a range, or evaluate a metric query along it."""
        given = await parameters(request)
        asked = replace(range_request(given, services.clock.now_ns()), cut=from_drilldown(request.headers))
        interval, shape = interval_ns(given), partial(answer, headers=request.headers)
        if asked.step_ns is None and not interval and asked.direction == "backward":
            moves = not given.get("end")
            ask = partial(_newest, services, latest, asked, request.headers, time.perf_counter(), moves=moves)
            return await work.watched(request, ask, lane="quick" if _unfiltered(asked.query) else "search")
        if asked.step_ns is not None or not interval:
            return await work.query(request, asked, services, shape)

        def thin(unwanted: Callable[[], bool]) -> Response:
            return shape(thinned(replace(asked, cancelled=unwanted), interval, services.table, services.engine))

        return await work.watched(request, thin)


def _unfiltered(text: str) -> bool:
    """Tell whether the first lines of streams are wanted as they are: what is found without a search."""
    query = parser.parse(text)
    return isinstance(query, LogQuery) and not query.stages


def _newest(
    services: Services,
    latest: Latest,
    asked: Request,
    headers: Headers,
    asked_s: float,
    unwanted: Callable[[], bool],
    *,
    moves: bool,
) -> Response:
    """Answer a log query that runs backward; runs in a thread.

    A range that `moves` with the clock ends when the query's turn comes: so all that waited together have one answer.
    If each ended when it was asked, a queue of a few seconds would never be worked off: each would be answered anew.
    """
    complete, waited_s = True, time.perf_counter() - asked_s
    asked = begun(asked, waited_s, unwanted)
    if moves:
        asked = replace(asked, end_ns=max(asked.end_ns, services.clock.now_ns()))

    def make() -> tuple[Lines, str]:
        nonlocal complete
        lines = run(asked, services.table, services.engine)
        assert isinstance(lines, Lines)
        complete, lines.stats.queue_seconds = lines.complete, waited_s
        return lines, loki_response(lines, categorize=categorize)

    categorize = categorized(headers)
    return written(latest.body(asked, categorize=categorize, make=make), complete=complete)


def _add_status(router: APIRouter) -> None:
    @router.get("/status/buildinfo")
    def buildinfo() -> Response:
        """Name the version whose features are offered; bare, not wrapped in `data`."""
        empty = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
        return loki_json({"version": LOKI_VERSION, **empty})

    @get_or_post(router, "/format_query", "query", required=["query"])
    async def format_query(request: HttpRequest) -> Response:
        """Print a query in its canonical form."""
        given = await parameters(request)
        try:
            return success(str(parser.parse(query_text(given))))
        except QueryError as error:
            return loki_json({"status": "invalid-query", "error": error.one_line()}, status=400)


def range_request(given: QueryParams, now_ns: int) -> Request:
    """Return the request of `query_range` parameters: limits checked."""
    text = query_text(given)
    start_ns, end_ns = time_range(given, now_ns)
    limit, towards = integer(given, "limit", limits.ENTRIES_DEFAULT), direction(given)
    if not isinstance(parser.parse(text), LogQuery):
        return Request(text, start_ns, end_ns, step_ns(given, start_ns, end_ns), 0, towards)
    if not 0 < limit <= limits.ENTRIES_LIMIT:
        raise QueryError(f"limit={limit} must lie between 1 and {limits.ENTRIES_LIMIT}")
    return Request(text, start_ns, end_ns, None, limit, towards)


def interval_ns(given: QueryParams) -> int:
    """Return how far lines must lie apart."""
    interval = duration_ns(given["interval"], "interval") if given.get("interval") else 0
    if interval < 0:
        raise QueryError("interval must not be less than zero")
    return interval
