"""The read side of Prometheus' HTTP API over LogQL's metric queries and the series that rules recorded.

It is there for Grafana's Prometheus source and its like, and for `ALERTS`.

Prometheus' own rules hold here: a time is Unix seconds, however many digits, or RFC 3339; a range is evaluated at
`start`, `start + step` and so on, as far as `end`; lists reach over all times unless told otherwise. Failures are
`{"status": "error", "errorType": …, "error": …}`, see `refusals`.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tailrace.errors import QueryError
from tailrace.limits import QUERY_TIMEOUT_S
from tailrace.query import labels, named, parser
from tailrace.query.run import Request
from tailrace.query.syntax import LogQuery, Selector
from tailrace.web.answers import answer, loki_json
from tailrace.web.loki_metadata import selectors
from tailrace.web.parameters import get_or_post, integer, parameters, query_text
from tailrace.web.services import Services
from tailrace.web.times import MAX_NS, duration_ns, seconds_ns
from tailrace.web.work import Work

PROMETHEUS_VERSION: Final = "2.50.0"
"""The version whose behaviour is offered: from 2.24 on Grafana asks for labels with `match[]`."""


_PLAIN: Final = partial(answer, stats=False)


def routes(services: Services, work: Work) -> APIRouter:
    """Return the endpoints under `/api/v1`."""
    router = APIRouter(prefix="/api/v1")
    _add_queries(router, services, work)
    _add_labels(router, services, work)
    _add_state(router)
    return router


def _add_queries(router: APIRouter, services: Services, work: Work) -> None:
    @get_or_post(router, "/query", "query", "time", "timeout", required=["query"])
    async def query(request: HttpRequest) -> Response:
        """Evaluate a metric query at one time."""
        given = await parameters(request)
        at_ns = seconds_ns(given["time"], "time") if given.get("time") else services.clock.now_ns()
        asked = Request(_metric(given), at_ns, at_ns, timeout_s=_timeout_s(given))
        return await work.query(request, asked, services, _PLAIN, services.recordings)

    needed = ("query", "start", "end", "step")

    @get_or_post(router, "/query_range", *needed, "timeout", required=needed)
    async def query_range(request: HttpRequest) -> Response:
        """Evaluate a metric query along a range."""
        given = await parameters(request)
        missing = [name for name in ("start", "end", "step") if not given.get(name)]
        if missing:
            raise QueryError(f"{missing[0]} is missing")
        start_ns, end_ns = (seconds_ns(given[name], name) for name in ("start", "end"))
        step = duration_ns(given["step"], "step")
        if end_ns < start_ns:
            raise QueryError("end lies before start")
        if step <= 0:
            raise QueryError("step must be more than zero")
        asked = Request(_metric(given), start_ns, end_ns, step, timeout_s=_timeout_s(given), aligned=False)
        return await work.query(request, asked, services, _PLAIN, services.recordings)


def _add_labels(router: APIRouter, services: Services, work: Work) -> None:
    names = ("start", "end", "match[]", "limit")

    async def found(request: HttpRequest, given: QueryParams) -> list[Mapping[str, str]]:
        return await work.run(request, partial(_series, services, _span(given), _matches(given)), lane="quick")

    @get_or_post(router, "/labels", *names)
    async def label_names(request: HttpRequest) -> Response:
        """List the names of the labels of streams and of recorded series."""
        given = await parameters(request)
        return _success(_first(given, sorted({name for one in await found(request, given) for name in one})))

    @router.get("/label/{name}/values", openapi_extra=None)
    async def label_values(request: HttpRequest, name: str) -> Response:
        """List the values of one label of streams and of recorded series."""
        given = await parameters(request)
        return _success(_first(given, sorted({one[name] for one in await found(request, given) if name in one})))

    @get_or_post(router, "/series", *names, required=["match[]"])
    async def series(request: HttpRequest) -> Response:
        """List the label sets of streams and of recorded series that any of the selectors matches."""
        given = await parameters(request)
        if not given.getlist("match[]"):
            raise QueryError("no match[] parameter provided")
        return _success(_first(given, await found(request, given)))


def _add_state(router: APIRouter) -> None:
    @router.get("/metadata")
    def metadata() -> Response:
        """Describe metrics by name: there are none, every query says itself what it counts."""
        return _success({})

    @router.get("/status/buildinfo")
    def buildinfo() -> Response:
        """Name the version whose features are offered."""
        empty = dict.fromkeys(("revision", "branch", "buildUser", "buildDate", "goVersion"), "")
        return _success({"version": PROMETHEUS_VERSION, **empty})


def _metric(given: QueryParams) -> str:
    text = query_text(given)
    if isinstance(parser.parse(text, names=True), LogQuery):
        raise QueryError("a log query gives no numbers", hint="count its lines: count_over_time({…}[5m])")
    return text


def _timeout_s(given: QueryParams) -> float:
    wanted = duration_ns(given["timeout"], "timeout") / 1e9 if given.get("timeout") else QUERY_TIMEOUT_S
    if wanted <= 0:
        raise QueryError("timeout must be more than zero")
    return min(wanted, QUERY_TIMEOUT_S)


def _span(given: QueryParams) -> tuple[int, int]:
    start_ns = seconds_ns(given["start"], "start") if given.get("start") else -MAX_NS
    end_ns = seconds_ns(given["end"], "end") if given.get("end") else MAX_NS - 1
    if end_ns < start_ns:
        raise QueryError("end lies before start")
    return start_ns, end_ns + 1  # a time at the end is part of the range


def _matches(given: QueryParams) -> list[Selector]:
    return [named.selector(text) for text in selectors(given.getlist("match[]"))]


def _series(services: Services, span: tuple[int, int], matches: list[Selector]) -> list[Mapping[str, str]]:
    """Return the label sets of streams, then those of recorded series."""
    return [*labels.series(services.table, *span, matches), *services.recordings.series(*span, matches)]


def _first(given: QueryParams, found: list[Any]) -> list[Any]:  # Any: names, or label sets
    limit = integer(given, "limit", 0)
    if limit < 0:
        raise QueryError(f"limit={limit} is less than zero", hint="0 stands for all")
    return found[:limit] if limit else found


def _success(data: Any) -> Response:  # JSON of several shapes
    return loki_json({"status": "success", "data": data})
