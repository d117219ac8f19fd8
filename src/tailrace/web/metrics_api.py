"""Metrics over HTTP: `GET|POST /api/v1/metrics`, `GET|DELETE /api/v1/metrics/NAME`, `GET /api/v1/metrics/NAME/values`.

A metric is made of JSON: `name` and either `expr` or what a form has (`statistic`, `property`, `period_s`, `refresh_s`,
`segment`, `filter`), `bucket_s` and `period_s` for an `expr`, `backfill_s` (a day; null is all lines). It is answered
with 201 and what it has become, with 409 if one of its name is there. Times in answers are nanoseconds. Failures are
JSON: what, line, column, hint.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from tailrace.clock import NS_PER_S
from tailrace.errors import DataError, QueryError, did_you_mean
from tailrace.rollups.definitions import BACKFILL_NS, MetricExistsError
from tailrace.rollups.forms import Form
from tailrace.rollups.metrics import NEWEST, Metrics, described
from tailrace.rollups.model import Metric
from tailrace.web.answers import answer, loki_json
from tailrace.web.described import FAILURES, address, answers
from tailrace.web.parameters import integer, parameters, read_json, whole_body
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.times import moment_ns
from tailrace.web.work import Work

PREFIX: Final = "/api/v1/metrics"

_KEYS: Final[dict[str, tuple[type, ...]]] = {
    "name": (str,),
    "expr": (str,),
    "bucket_s": (int, float),
    "backfill_s": (int, float, type(None)),
    "statistic": (str,),
    "property": (str,),
    "period_s": (int, float),
    "refresh_s": (int, float, type(None)),
    "segment": (str,),
    "filter": (str,),
}
_FORM: Final = ("statistic", "property", "period_s", "refresh_s", "segment", "filter")
_TYPES: Final = {str: "string", int: "number", type(None): "null"}

SCHEMA: Final = {
    "type": "object",
    "required": ["name"],
    "properties": {
        key: {"type": [name for kind, name in _TYPES.items() if kind in kinds]} for key, kinds in _KEYS.items()
    },
    "additionalProperties": False,
}
"""The body that makes a metric."""


def routes(services: Services, metrics: Metrics, work: Work) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(prefix=PREFIX)
    _add_definitions(router, services, metrics)
    _add_values(router, services, metrics, work)
    return router


def _add_definitions(router: APIRouter, services: Services, metrics: Metrics) -> None:
    @router.get("", responses=answers(), response_class=Response)
    def listed() -> Response:
        """Return all metrics by name."""
        return loki_json({"metrics": [described(metric) for metric in metrics.definitions.list()]})

    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": SCHEMA}}}}

    @router.post(
        "", responses={"201": {"description": "made"}, **FAILURES}, response_class=Response, openapi_extra=body
    )
    async def create(request: HttpRequest) -> Response:
        """Make a metric of a query or a form."""
        given = _given(await whole_body(request))
        made = await run_in_threadpool(_create, metrics, given, services.clock.now_ns())
        return loki_json(described(made), status=201)

    @router.get("/{name}", responses=answers(), response_class=Response)
    def one(name: str) -> Response:
        """Return a metric, and how its numbers are kept."""
        metric = _found(metrics, name)
        return loki_json(described(metric, metrics.health(metric)))

    @router.delete("/{name}", responses={"204": {"description": "gone"}, **FAILURES}, response_class=Response)
    def delete(name: str) -> Response:
        """Delete a metric and its numbers."""
        if not metrics.definitions.delete(name):
            raise Refused(404, f"there is no metric {name[:60]!r}")
        return Response(status_code=204)


def _add_values(router: APIRouter, services: Services, metrics: Metrics, work: Work) -> None:
    asked = address(("start", "end", "limit"))

    @router.get("/{name}/values", responses=answers(), response_class=Response, openapi_extra=asked)
    async def values(request: HttpRequest, name: str) -> Response:
        """Return the values of the periods that are over; the newest `limit` periods unless times are given."""
        given = await parameters(request)
        metric = await run_in_threadpool(_found, metrics, name)
        now_ns = services.clock.now_ns()
        over_ns = metrics.over_ns(metric)
        end_ns = moment_ns(given["end"], now_ns, "end") if given.get("end") else over_ns
        periods = integer(given, "limit", NEWEST)
        if periods < 1:
            raise QueryError(f"limit={periods} is not more than zero")
        first_ns = min(end_ns, over_ns) - (periods - 1) * metric.period_ns
        start_ns = moment_ns(given["start"], now_ns, "start") if given.get("start") else first_ns
        return await work.run(request, lambda: answer(metrics.values(metric, start_ns, min(end_ns, over_ns))))


def _found(metrics: Metrics, name: str) -> Metric:
    metric = metrics.definitions.get(name)
    if metric is None:
        raise Refused(404, f"there is no metric {name[:60]!r}")
    return metric


def _given(body: bytes) -> dict[str, Any]:  # Any: JSON as it came, checked here
    """Return the members of the body."""
    given = read_json(body)
    if not isinstance(given, dict):
        raise DataError('the body is no JSON object; send {"name": "errors", "expr": …}')
    for key, value in given.items():
        if key not in _KEYS:
            raise DataError(f"$.{key[:60]}: unknown key ({did_you_mean(key, _KEYS) or 'known: ' + ', '.join(_KEYS)})")
        if not isinstance(value, _KEYS[key]) or isinstance(value, bool):
            raise DataError(f"$.{key}: this is no {' or '.join(kind.__name__ for kind in _KEYS[key])}")
    if not given.get("name"):
        raise DataError("$.name: it is missing")
    return given


def _create(metrics: Metrics, given: dict[str, Any], now_ns: int) -> Metric:  # Any: checked by `_given`
    form: dict[str, Any] = {key: given[key] for key in _FORM if key in given}
    period_s = form.get("period_s")
    if ("expr" in given) == ("statistic" in given):
        raise DataError("$: exactly one of expr and statistic is needed")
    if "expr" in given and set(form) - {"period_s"}:
        raise DataError(f"$.{min(set(form) - {'period_s'})}: it goes with a statistic, not with an expr")
    what = given["expr"] if "expr" in given else Form(**_whole(form))
    backfill_s = given.get("backfill_s", BACKFILL_NS / NS_PER_S)
    try:
        return metrics.definitions.create(
            given["name"],
            what,
            now_ns=now_ns,
            bucket_ns=None if "bucket_s" not in given else round(given["bucket_s"] * NS_PER_S),
            period_ns=None if period_s is None else round(period_s * NS_PER_S),
            backfill_ns=None if backfill_s is None else round(backfill_s * NS_PER_S),
        )
    except MetricExistsError as error:
        raise Refused(409, error.one_line()) from None


def _whole(form: dict[str, Any]) -> dict[str, Any]:  # Any: as above
    for key in ("period_s", "refresh_s"):
        value = form.get(key)
        if value is not None and value != int(value):
            raise DataError(f"$.{key}: whole seconds, not {value}")
    return {key: int(value) if isinstance(value, float) else value for key, value in form.items()}
