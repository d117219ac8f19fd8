"""Loki's path for deletions: ask, list, cancel. `Services.deletions` keeps them and carries them out."""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.web.answers import loki_json
from tailrace.web.deletions import Deletion
from tailrace.web.described import FAILURES, address
from tailrace.web.parameters import parameters, query_text
from tailrace.web.services import Services
from tailrace.web.times import duration_ns, time_ns

PATH: Final = "/loki/api/v1/delete"
_ASK: Final = ("query", "start", "end", "max_interval")


def routes(services: Services) -> APIRouter:
    """Return the endpoint."""
    router, deletions = APIRouter(), services.deletions

    async def ask(request: Request) -> Response:
        """Ask for lines to be deleted: those of a selector, narrowed by line filters."""
        given = await parameters(request)
        query, now_ns = query_text(given), services.clock.now_ns()
        if not given.get("start"):
            raise QueryError("start is missing", hint="say from when on lines are deleted; start=0 for all")
        start_ns = time_ns(given["start"], "start")
        end_ns = time_ns(given["end"], "end") if given.get("end") else now_ns
        if end_ns > now_ns:
            raise QueryError("end lies in the future")
        if start_ns >= end_ns:
            raise QueryError("start must lie before end")
        interval = duration_ns(given["max_interval"], "max_interval") if given.get("max_interval") else None
        if interval is not None and interval < NS_PER_S:
            raise QueryError("max_interval must be a second or more")
        await run_in_threadpool(deletions.add, query, start_ns, end_ns, interval)
        return Response(status_code=204)

    for method in (router.post, router.put):
        method(PATH, status_code=204, openapi_extra=address(_ASK, ["query", "start"]), responses=FAILURES)(ask)

    @router.get(PATH)
    def waiting() -> Response:
        """List deletions that wait or were carried out of late."""
        return loki_json([_shown(one) for one in deletions.all()])

    cancelled = address(["request_id", "force"], ["request_id"])

    @router.delete(PATH, status_code=204, openapi_extra=cancelled, responses=FAILURES)
    async def cancel(request: Request) -> Response:
        """Cancel a deletion that has not begun; with `force` also what is left of one."""
        given = await parameters(request)
        if not given.get("request_id"):
            raise QueryError("request_id is missing")
        force = given.get("force", "").lower() == "true"
        await run_in_threadpool(deletions.cancel, given["request_id"], force=force)
        return Response(status_code=204)

    return router


def _shown(one: Deletion) -> dict[str, Any]:  # JSON: texts and numbers
    return {
        "request_id": one.request,
        "start_time": one.start_ns / NS_PER_S,
        "end_time": one.end_ns / NS_PER_S,
        "query": one.query,
        "status": one.status,
        "created_at": one.created_ns / NS_PER_S,
        "deleted_lines": one.rows,
    }
