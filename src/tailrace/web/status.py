"""Health, own metrics, state: `/ready` for load balancers, `/metrics` for scrapers, `/status` for programs and people.

`/config` and `/services` are there as Loki has them: the effective configuration without secrets, and what runs.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import yaml
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tailrace import __version__
from tailrace.clock import NS_PER_S
from tailrace.web.described import answers
from tailrace.web.explorer.frame import wants_page
from tailrace.web.services import Services
from tailrace.web.times import iso

_SECRET: Final = re.compile(
    r"token(?!s$)|password|passwd|secret|credential|api_?key|authorization|headers", re.IGNORECASE
)
"""Names of secrets; `access.tokens` says whether there have to be some."""
_USER: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_TEXT: Final = "text/plain"
_EXPOSITIONS: Final = (_TEXT, "application/openmetrics-text", "application/vnd.google.protobuf")
_MASK: Final = "<secret>"


def routes(services: Services, page: Callable[[Request], Awaitable[Response]] | None = None) -> APIRouter:
    """Return the endpoints; `page` is what browsers see at `/status`."""
    router = APIRouter()

    @router.head("/ready", include_in_schema=False)
    @router.get("/ready", responses=answers(_TEXT), response_class=Response)
    def ready() -> Response:
        """Tell whether requests are welcome."""
        if services.ready():
            return PlainTextResponse("ready")
        return PlainTextResponse("starting", 503, {"Retry-After": "1"})

    @router.get("/metrics", responses=answers(*_EXPOSITIONS), response_class=Response)
    def metrics(request: Request) -> Response:
        """Own metrics, in the exposition format that the scraper asks for."""
        accept = ",".join(request.headers.getlist("accept"))
        body, headers = services.accounts.respond(accept, request.headers.get("accept-encoding", ""))
        return Response(body, headers=headers)

    @router.get("/status", response_model=dict[str, Any])
    async def status(request: Request) -> Any:  # JSON, or a page
        """Tell what is followed, what became of it, and since when."""
        if page is not None and wants_page(request):
            return await page(request)
        return await run_in_threadpool(_told, services)

    @router.get("/config", responses=answers(_TEXT), response_class=Response)
    def config() -> Response:
        """Show the effective configuration as YAML, secrets masked."""
        text = yaml.safe_dump(masked(services.config()), sort_keys=False, allow_unicode=True)
        return PlainTextResponse(text)

    @router.get("/services", responses=answers(_TEXT), response_class=Response)
    def running() -> Response:
        """Name what runs."""
        state = "Running" if services.ready() else "Starting"
        return PlainTextResponse("".join(f"{name} => {state}\n" for name in ("server", "store", "query", "ingest")))

    return router


def masked(value: Any, name: str = "") -> Any:  # Any: a configuration, nested, of several kinds
    """Return a configuration in which nothing is secret.

    >>> masked({"url": "https://ann:pw@host/", "token": "x", "list": [{"headers": {"a": "b"}}], "password": ""})
    {'url': 'https://<secret>@host/', 'token': '<secret>', 'list': [{'headers': '<secret>'}], 'password': ''}
    """
    if _SECRET.search(name) and value:
        return _MASK
    if isinstance(value, Mapping):
        return {key: masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return _USER.sub(_MASK, value) if isinstance(value, str) else value


def _account(services: Services, source: str) -> dict[str, Any]:  # JSON: counts and one flag
    account = services.accounts.of(source)
    return {"lines": account.lines, "bytes": account.bytes, "closed": account.closed()}


def _told(services: Services) -> dict[str, Any]:  # JSON: nested, of several kinds
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
