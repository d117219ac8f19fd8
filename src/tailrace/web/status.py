"""Health, own metrics and state: `/ready` for load balancers, `/metrics` for scrapers, `/status` for programs."""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tailrace import __version__
from tailrace.clock import NS_PER_S
from tailrace.web.services import Services
from tailrace.web.times import iso


def routes(services: Services) -> APIRouter:
    """Return the endpoints."""
    router = APIRouter()

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready")
    def ready() -> Response:
        """Tell whether requests are welcome."""
        if services.ready():
            return PlainTextResponse("ready")
        return PlainTextResponse("starting", 503, {"Retry-After": "1"})

    @router.get("/metrics")
    def metrics(request: Request) -> Response:
        """Own metrics, in the exposition format that the scraper asks for."""
        accept = ",".join(request.headers.getlist("accept"))
        body, headers = services.accounts.respond(accept, request.headers.get("accept-encoding", ""))
        return Response(body, headers=headers)

    @router.get("/status")
    def status() -> dict[str, Any]:  # JSON: nested, of several kinds
        """Tell what is followed, what became of it, and since when."""
        snapshot = services.table.snapshot()
        return {
            "version": __version__,
            "host": services.host,
            "ready": services.ready(),
            "started": iso(services.started_ns),
            "uptime_s": round((services.clock.now_ns() - services.started_ns) / NS_PER_S, 3),
            "table": {"version": snapshot.version, "columns": len(snapshot.columns)},
            "followed": [
                {"path": one.path, "offset": one.offset, "size": one.size, "state": one.state, "why": one.why}
                for one in services.followed()
            ],
            "accounts": {name: _account(services, name) for name in services.accounts.sources()},
        }

    return router


def _account(services: Services, source: str) -> dict[str, Any]:  # JSON: counts and one flag
    account = services.accounts.of(source)
    return {"lines": account.lines, "bytes": account.bytes, "closed": account.closed()}
