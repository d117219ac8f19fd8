"""Receivers that people save here, a test of each, and what could not be delivered: our own resources.

| call | what it does |
|---|---|
| `GET /api/v1/receivers` | all receivers, without their secrets, and whether they are of the configuration |
| `GET`, `PUT`, `DELETE /api/v1/receivers/{name}` | one; saved by `{"receiver": {…}, "route": {…}}` |
| `POST /api/v1/receivers/{name}/test` | sends it a message that says it is a test |
| `GET /api/v1/notifications` | what is parked; with `state` what waits, was sent or dropped |
| `POST /api/v1/notifications/{id}/retry` | sends what is parked once more |
| `DELETE /api/v1/notifications/{id}` | drops what is parked |
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Mapping
from typing import Any, Final, cast, get_args

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace.alerts.notify.delivery import Delivery, State
from tailrace.alerts.notify.notifier import Notifier
from tailrace.errors import DataError
from tailrace.web.described import FAILURES, address
from tailrace.web.parameters import read_json, whole_body
from tailrace.web.refusals import Refused
from tailrace.web.times import iso

PREFIX: Final = "/api/v1"


def routes(notifier: Notifier) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter(prefix=PREFIX)
    _add_receivers(router, notifier)
    _add_changes(router, notifier)
    _add_notifications(router, notifier)
    return router


def _add_receivers(router: APIRouter, notifier: Notifier) -> None:
    @router.get("/receivers", responses=FAILURES)
    def receivers() -> Response:
        """Return all receivers without their secrets."""
        return JSONResponse({"receivers": notifier.receivers.shown()})

    @router.get("/receivers/{name}", responses=FAILURES)
    def receiver(name: str) -> Response:
        """Return one receiver without its secrets."""
        found = [one for one in notifier.receivers.shown() if one["receiver"]["name"] == name]
        if not found:
            raise _none(name)
        return JSONResponse(found[0])

    @router.post("/receivers/{name}/test", responses=FAILURES)
    def test(name: str) -> Response:
        """Send a receiver a message that says it is a test, and tell of each of its ways whether it was taken."""
        tried = notifier.test(name)
        if tried is None:
            raise _none(name)
        return JSONResponse({"ways": [{"way": one.way, "taken": not one.error, "error": one.error} for one in tried]})


def _add_changes(router: APIRouter, notifier: Notifier) -> None:
    @router.put("/receivers/{name}", responses=FAILURES)
    async def save(name: str, request: Request) -> Response:
        """Save a receiver, in place of the one of that name; `route` says of what it is told."""
        body = _object(await whole_body(request))
        inner = body.get("receiver")
        if not isinstance(inner, dict):
            raise DataError('$.receiver: this key is required: {"receiver": {"webhook": "http://…"}, "route": {}}')
        given = inner.get("name", name)
        if given != name:
            raise DataError(f"$.receiver.name: {given!r} is not the name in the address, {name!r}")
        await run_in_threadpool(notifier.receivers.save, {**body, "receiver": {**inner, "name": name}})
        notifier.poke()
        return JSONResponse({"name": name})

    @router.delete("/receivers/{name}", responses=FAILURES)
    def delete(name: str) -> Response:
        """Forget a receiver that was saved; what waits for it is parked."""
        if not notifier.receivers.delete(name):
            raise _none(name)
        notifier.poke()
        return JSONResponse({"name": name})


def _add_notifications(router: APIRouter, notifier: Notifier) -> None:
    @router.get("/notifications", openapi_extra=address(("state",)), responses=FAILURES)
    def notifications(request: Request) -> Response:
        """Return what is parked since it was refused or nobody took it for days; or what is in another state."""
        states = request.query_params.getlist("state") or ["parked"]
        unknown = [state for state in states if state not in get_args(State)]
        if unknown:
            raise DataError(f"state={unknown[0][:40]!r} is not known: {', '.join(get_args(State))}")
        found = notifier.deliveries.shown(cast("list[State]", states))  # each was compared with its words
        return JSONResponse({"notifications": [notification_json(one) for one in found]})

    @router.post("/notifications/{number}/retry", responses=FAILURES)
    def retry(number: int) -> Response:
        """Send what is parked once more."""
        if not notifier.deliveries.retry(number):
            raise Refused(404, f"nothing of the number {number} is parked")
        notifier.poke()
        return JSONResponse({"id": number})

    @router.delete("/notifications/{number}", responses=FAILURES)
    def drop(number: int) -> Response:
        """Give up what is parked."""
        if not notifier.deliveries.drop(number):
            raise Refused(404, f"nothing of the number {number} is parked")
        return JSONResponse({"id": number})


def _none(name: str) -> Refused:
    return Refused(404, f"there is no receiver {name[:60]!r}, or none that was saved here")


def _object(body: bytes) -> Mapping[str, Any]:  # a JSON object: nested, of several kinds
    found = read_json(body)
    if not isinstance(found, dict):
        raise DataError("the body is no JSON object")
    return found


def notification_json(one: Delivery) -> Mapping[str, object]:
    """Write a notification with how its delivery stands."""
    said = one.notification
    return {
        "id": one.id,
        "state": one.state,
        "receiver": said.receiver,
        "line": one.line,
        "key": said.key,
        "groupKey": said.group_key,
        "reason": said.reason,
        "status": said.status,
        "alerts": [{"labels": dict(alert.labels), "status": alert.status} for alert in said.alerts],
        "attempts": one.attempts,
        "error": one.error,
        "writtenAt": iso(one.written_ns),
        "nextAttemptAt": iso(one.next_ns) if one.state == "waiting" else None,
    }
