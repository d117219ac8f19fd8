"""The audit log for those who may change things: `GET /api/v1/audit`, newest first, a page at a time."""

from __future__ import annotations

# ruff: noqa: TC002 -- FastAPI reads the annotations of endpoints at run time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace.errors import DataError
from tailrace.web.described import FAILURES, address
from tailrace.web.parameters import integer
from tailrace.web.times import iso

if TYPE_CHECKING:
    from tailrace.access.audit import Audit, Entry

PATH: Final = "/api/v1/audit"
_MOST: Final = 1_000


def routes(audit: Audit) -> APIRouter:
    """Return the endpoint."""
    router = APIRouter()

    @router.get(PATH, openapi_extra=address(("limit", "before")), responses=FAILURES)
    def entries(request: Request) -> Response:
        """Return who changed what, when and from where; `before` is the last `id` of the page before."""
        limit, before = integer(request.query_params, "limit", 100), integer(request.query_params, "before", 0)
        if not 1 <= limit <= _MOST or before < 0:
            raise DataError(f"limit must lie between 1 and {_MOST}, and before must not be negative")
        return JSONResponse({"entries": [entry_json(one) for one in audit.newest(limit, before)]})

    return router


def entry_json(entry: Entry) -> dict[str, object]:
    """Write an entry; its status is null while the change is under way, or if the server died meanwhile."""
    said = asdict(entry)
    at_ns = int(said.pop("at_ns"))
    return {**said, "at": iso(at_ns), "status": entry.status or None}
