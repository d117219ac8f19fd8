"""What alerts have said, over HTTP: `GET|POST /api/v1/alerts/history`.

Parameters: `rule`, the id of a rule as `/api/v1/rules` gives it, and `limit`, 100 by default. The answer is
`{"history": [{"time", "time_ns", "kind", "labels", "value"}]}`, newest first: a `signal` for each window in which the
condition was true, with its value, and a `recovered` where an alert was over. A rule that nobody knows has none.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

# ruff: noqa: TC002 -- FastAPI reads the annotations of endpoints at run time
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace import limits
from tailrace.alerts.kept.history import entries
from tailrace.errors import QueryError
from tailrace.web.parameters import get_or_post, parameters
from tailrace.web.times import iso

if TYPE_CHECKING:
    from tailrace.alerts.kept.history import Entry
    from tailrace.control import Control

_LIMIT: Final = 100


def routes(control: Control) -> APIRouter:
    """Return the endpoint."""
    router = APIRouter()

    @get_or_post(router, "/api/v1/alerts/history", "rule", "limit", required=["rule"])
    async def history(request: Request) -> Response:
        """Tell what a rule has said: its signals and the ends of its alerts, newest first."""
        words = await parameters(request)
        rule = words.get("rule", "")
        if not rule:
            raise QueryError("rule is missing", hint="the id of a rule, as /api/v1/rules gives it")
        found = await run_in_threadpool(entries, control, rule, _number(words.get("limit", str(_LIMIT))))
        return JSONResponse({"history": [_told(entry) for entry in found]})

    return router


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= limits.ENTRIES_LIMIT:
        raise QueryError(f"limit={text[:40]!r} is no number of lines", hint=f"1 to {limits.ENTRIES_LIMIT}")
    return int(text)


def _told(entry: Entry) -> dict[str, Any]:  # JSON
    value = None if entry.value is None else entry.value if math.isfinite(entry.value) else str(entry.value)
    return {
        "time": iso(entry.at_ns),
        "time_ns": str(entry.at_ns),  # more digits than a number of JSON holds for sure
        "kind": entry.kind,
        "labels": dict(entry.labels),
        "value": value,
    }
