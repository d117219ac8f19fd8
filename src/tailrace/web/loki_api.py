"""The read side of Loki's HTTP API, in its exact shapes: Grafana, logcli and alert rules read it unmodified.

Each path takes GET, and POST with a form. Failures are one line of plain text. Every answer says in the header
`X-Tailrace-Complete` whether it is whole; if it is not, `warnings` says why.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import json
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from tailrace import limits
from tailrace.batch import stream_text
from tailrace.errors import QueryError
from tailrace.query import labels, parser
from tailrace.query.render import loki_response
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request, run
from tailrace.query.syntax import LogQuery
from tailrace.web.parameters import direction, get_or_post, integer, parameters, query_text
from tailrace.web.ranges import HOUR_NS, step_ns, time_range
from tailrace.web.services import Services
from tailrace.web.times import time_ns
from tailrace.web.work import Work

PREFIX: Final = "/loki/api/v1"
LOKI_VERSION: Final = "3.7.0"
"""The version whose behaviour is offered: from 3.0.0 on Grafana asks for structured metadata."""

_FLAGS: Final = "x-loki-response-encoding-flags"
_LABELS_SINCE_NS: Final = 6 * HOUR_NS


def routes(services: Services, work: Work) -> APIRouter:
    """Return the endpoints under `/loki/api/v1`."""
    router = APIRouter(prefix=PREFIX)
    _add_queries(router, services, work)
    _add_metadata(router, services, work)
    _add_status(router)
    return router


def _add_queries(router: APIRouter, services: Services, work: Work) -> None:
    @get_or_post(router, "/query")
    async def query(request: HttpRequest) -> Response:
        """Evaluate a metric query at one time."""
        given = await parameters(request)
        text = query_text(given)
        if isinstance(parser.parse(text), LogQuery):
            raise QueryError("log queries are not supported as an instant query type, use query_range instead")
        at_ns = time_ns(given["time"], "time") if given.get("time") else services.clock.now_ns()
        limit = integer(given, "limit", limits.ENTRIES_DEFAULT)
        asked = Request(text, at_ns, at_ns, None, limit, direction(given))
        result = await work.run(request, lambda: run(asked, services.table, services.engine))
        return answer(result, request)

    @get_or_post(router, "/query_range")
    async def query_range(request: HttpRequest) -> Response:
        """Return the lines of a range, or evaluate a metric query along it."""
        given = await parameters(request)
        asked = range_request(given, services.clock.now_ns())
        result = await work.run(request, lambda: run(asked, services.table, services.engine))
        return answer(result, request)


def _add_metadata(router: APIRouter, services: Services, work: Work) -> None:
    table = services.table

    @get_or_post(router, "/label")
    @get_or_post(router, "/labels")
    async def label_names(request: HttpRequest) -> Response:
        """List the names of stream labels."""
        given = await parameters(request)
        start_ns, end_ns = time_range(given, services.clock.now_ns(), _LABELS_SINCE_NS)
        selector = given.get("query") or None
        return success(await work.run(request, lambda: labels.label_names(table, start_ns, end_ns, selector)))

    @get_or_post(router, "/label/{name}/values")
    async def label_values(request: HttpRequest, name: str) -> Response:
        """List the values of one stream label."""
        given = await parameters(request)
        start_ns, end_ns = time_range(given, services.clock.now_ns(), _LABELS_SINCE_NS)
        selector = given.get("query") or None
        return success(await work.run(request, lambda: labels.label_values(table, name, start_ns, end_ns, selector)))

    @get_or_post(router, "/series")
    async def series(request: HttpRequest) -> Response:
        """List the label sets of streams that any of the selectors matches."""
        given = await parameters(request)
        start_ns, end_ns = time_range(given, services.clock.now_ns(), _LABELS_SINCE_NS)
        selectors = _selectors(given.getlist("match[]") + given.getlist("match"))
        return success(await work.run(request, lambda: labels.series(table, start_ns, end_ns, selectors)))

    @get_or_post(router, "/index/stats")
    async def index_stats(request: HttpRequest) -> Response:
        """Count streams, segments, entries and bytes that a selector touches, by whole segments."""
        given = await parameters(request)
        start_ns, end_ns = time_range(given, services.clock.now_ns(), _LABELS_SINCE_NS)
        selectors = _selectors(given.getlist("query"))
        found = await work.run(request, lambda: _stats(services, start_ns, end_ns, selectors))
        return loki_json(found)


def _add_status(router: APIRouter) -> None:
    @router.get("/status/buildinfo")
    def buildinfo() -> Response:
        """Name the version whose features are offered; bare, not wrapped in `data`."""
        empty = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
        return loki_json({"version": LOKI_VERSION, **empty})

    @get_or_post(router, "/format_query")
    async def format_query(request: HttpRequest) -> Response:
        """Print a query in its canonical form."""
        given = await parameters(request)
        try:
            return success(str(parser.parse(query_text(given))))
        except QueryError as error:
            return JSONResponse({"status": "invalid-query", "error": error.one_line()}, 400)


def range_request(given: QueryParams, now_ns: int) -> Request:
    """Return the request of `query_range` parameters: limits checked."""
    text = query_text(given)
    start_ns, end_ns = time_range(given, now_ns)
    limit, towards = integer(given, "limit", limits.ENTRIES_DEFAULT), direction(given)
    if not isinstance(parser.parse(text), LogQuery):
        return Request(text, start_ns, end_ns, step_ns(given, start_ns, end_ns), 0, towards)
    if not 0 < limit <= limits.ENTRIES_LIMIT:
        raise QueryError(f"limit={limit} must lie between 1 and {limits.ENTRIES_LIMIT}")
    if given.get("interval") not in {None, "", "0", "0s"}:
        raise QueryError("interval is not supported", hint="leave it out, or count with count_over_time")
    return Request(text, start_ns, end_ns, None, limit, towards)


def answer(result: Lines | Series, request: HttpRequest) -> Response:
    """Return a result in Loki's shape; the entries have the form that the request's header asks for."""
    flags = {flag.strip() for flag in request.headers.get(_FLAGS, "").split(",")}
    body = loki_response(result, categorize="categorize-labels" in flags)
    return loki_json(body, {"X-Tailrace-Complete": str(result.complete).lower()})


def success(data: Any) -> Response:  # JSON of several shapes
    """Return data in Loki's envelope."""
    return loki_json({"status": "success", "data": data})


def loki_json(body: Any, headers: Mapping[str, str] | None = None) -> Response:  # JSON of several shapes
    """Return a JSON answer with the content type that Loki sends."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, headers={**(headers or {}), "Content-Type": "application/json; charset=UTF-8"})


def _selectors(texts: list[str]) -> list[str]:
    """Return the selectors; none, or `{}` among them, stands for every stream."""
    return [] if any("".join(text.split()) in {"", "{}"} for text in texts) else texts


def _stats(services: Services, start_ns: int, end_ns: int, selectors: list[str]) -> dict[str, int]:
    segments = services.table.snapshot().segments(start_ns, end_ns)
    wanted = [stream_text(found) for found in labels.series(services.table, start_ns, end_ns, selectors)]
    streams = segments.streams().filter(pl.col("_stream").is_in(wanted))
    return {
        "streams": streams["_stream"].n_unique(),
        "chunks": streams["path"].n_unique(),
        "entries": int(streams["rows"].sum()),
        "bytes": int(streams["line_bytes"].sum()),
    }
