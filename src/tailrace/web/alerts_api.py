"""Alertmanager's API v2: alerts in and out, the groups in which they are told, silences, receivers, status.

`amtool`, Grafana and every sender that knows an Alertmanager work with it. Failures are a text, written as JSON.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import yaml
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace import __version__
from tailrace.alerts.notify import overview
from tailrace.alerts.notify.matchers import Matcher, matcher, matchers
from tailrace.alerts.notify.notifier import Notifier
from tailrace.alerts.notify.silences import NoSilenceError
from tailrace.clock import NS_PER_S, Clock
from tailrace.control import Control
from tailrace.errors import DataError
from tailrace.web.alerts_shapes import alert_json, group_json, posted_alerts, posted_silence, silence_json
from tailrace.web.described import FAILURES, address
from tailrace.web.parameters import read_json, whole_body
from tailrace.web.refusals import Refused
from tailrace.web.times import iso

PREFIX: Final = "/api/v2"

RENEWED_NS: Final = 4 * 60 * NS_PER_S
"""An alert of ours that fires is shown with an end so far ahead: as it would be sent."""

_ASKED: Final = ("active", "silenced", "inhibited", "unprocessed", "filter", "receiver")
_TRUE: Final = ("true", "1", "t")
_FALSE: Final = ("false", "0", "f")


def routes(notifier: Notifier, control: Control, clock: Clock) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(prefix=PREFIX)
    _add_alerts(router, notifier, control, clock)
    _add_silences(router, notifier, clock)
    started_ns = clock.now_ns()

    @router.get("/status", responses=FAILURES)
    def status() -> Response:
        """Return the version, since when this runs, and the routes and receivers without their secrets."""
        return _json(
            {
                "cluster": {"status": "disabled", "peers": []},
                "config": {"original": yaml.safe_dump(notifier.shown(), sort_keys=False, allow_unicode=True)},
                "uptime": iso(started_ns),
                "versionInfo": {
                    "version": __version__,
                    "revision": "",
                    "branch": "",
                    "buildUser": "",
                    "buildDate": "",
                    "goVersion": "",
                },
            }
        )

    @router.get("/receivers", responses=FAILURES, name="alertmanager_receivers")
    def receivers() -> Response:
        """Return the names of the receivers."""
        return _json([{"name": name} for name in notifier.names()])

    return router


def _add_alerts(router: APIRouter, notifier: Notifier, control: Control, clock: Clock) -> None:
    described = address(_ASKED)

    @router.get("/alerts", openapi_extra=described, responses=FAILURES, name="alertmanager_alerts")
    def alerts(request: Request) -> Response:
        """Return the alerts that fire, with who is told of them and what keeps them silent."""
        now_ns, wanted = clock.now_ns(), _wanted(request.query_params)
        found = overview.standings(control, notifier.policy(), wanted, now_ns)
        return _json([alert_json(one, now_ns + RENEWED_NS) for one in found])

    @router.get("/alerts/groups", openapi_extra=described, responses=FAILURES)
    def groups(request: Request) -> Response:
        """Return the groups in which receivers are told of alerts."""
        now_ns, wanted = clock.now_ns(), _wanted(request.query_params)
        found = overview.groups(control, notifier.policy(), wanted, now_ns)
        return _json([group_json(one, now_ns + RENEWED_NS) for one in found])

    @router.post("/alerts", responses=FAILURES)
    async def post(request: Request) -> Response:
        """Take alerts from elsewhere; those that are wrong are refused, the others are taken."""
        body = await whole_body(request)

        def take() -> Response:
            timeout_ns = notifier.policy().resolve_timeout_ns
            found, wrong = posted_alerts(read_json(body), clock.now_ns(), timeout_ns)
            notifier.post(found)
            return _json("; ".join(wrong), 400) if wrong else Response(status_code=200)

        return await run_in_threadpool(take)


def _add_silences(router: APIRouter, notifier: Notifier, clock: Clock) -> None:
    @router.get("/silences", openapi_extra=address(("filter",)), responses=FAILURES)
    def silences(request: Request) -> Response:
        """Return the silences; `filter` picks those that have a matcher which passes it."""
        found = notifier.silences.all(_tests(request.query_params))
        return _json([silence_json(one, clock.now_ns()) for one in found])

    @router.post("/silences", responses=FAILURES)
    async def save(request: Request) -> Response:
        """Make a silence, or change the one of the `id` that is given."""
        body = await whole_body(request)

        def take() -> Response:
            with _found():
                return _json({"silenceID": notifier.silences.save(posted_silence(read_json(body)))})

        return await run_in_threadpool(take)

    @router.get("/silence/{name}", responses=FAILURES)
    def silence(name: str) -> Response:
        """Return one silence."""
        with _found():
            return _json(silence_json(notifier.silences.get(name), clock.now_ns()))

    @router.delete("/silence/{name}", responses=FAILURES)
    def expire(name: str) -> Response:
        """End a silence now."""
        with _found():
            notifier.silences.expire(name)
        return Response(status_code=200)


@contextmanager
def _found() -> Iterator[None]:
    try:
        yield
    except NoSilenceError as error:
        raise Refused(404, str(error)) from None


def _json(body: Any, status: int = 200) -> Response:  # JSON of several shapes
    return JSONResponse(body, status)


def _wanted(given: QueryParams) -> overview.Wanted:
    pattern = given.get("receiver")
    test = None if pattern is None else _regex(pattern)
    _flag(given, "unprocessed")  # every alert is looked at when it is asked for, so none is unprocessed
    return overview.Wanted(
        tests=_tests(given),
        active=_flag(given, "active"),
        silenced=_flag(given, "silenced"),
        inhibited=_flag(given, "inhibited"),
        receiver=None if test is None else (lambda name: test.matches({"receiver": name})),
    )


def _regex(pattern: str) -> Matcher:
    try:
        return matcher("receiver", "=~", pattern)
    except DataError as error:
        raise Refused(400, f"receiver: {error}") from None


def _tests(given: QueryParams) -> tuple[Matcher, ...]:
    try:
        return tuple(test for text in given.getlist("filter") for test in matchers(text))
    except DataError as error:
        raise Refused(400, f"filter: {error}") from None


def _flag(given: QueryParams, name: str) -> bool:
    text = given.get(name, "true").lower()
    if text not in (*_TRUE, *_FALSE):
        raise Refused(400, f"{name}={text[:40]!r} is neither true nor false")
    return text in _TRUE
