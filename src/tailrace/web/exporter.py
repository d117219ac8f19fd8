"""The pages of an exporter: `/metrics` for scrapers, `/unmatched` and `/` for people, `/ready` for supervisors.

Log lines are shown to this machine only, whatever address is listened on: numbers may be public, lines never are.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tailrace.exposition import respond
from tailrace.web.origin import names_here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from tailrace.exposition import Family

_INDEX: Final = (
    "/metrics    values for Prometheus\n/unmatched  the newest lines that were not understood\n/ready      health\n"
)
_REFUSED: Final = {"WWW-Authenticate": "Bearer"}


def create_app(
    families: Callable[[], Sequence[Family]],
    unmatched: Callable[[], Sequence[str]],
    trouble: Callable[[], str],
    *,
    token: str | None = None,
) -> Starlette:
    """Return the application; with a token, who asks for values must know it. `trouble` is why the log is not read."""

    def metrics(request: Request) -> Response:
        if not _knows(request, token):
            return PlainTextResponse("a bearer token is needed\n", 401, _REFUSED)
        body, headers = respond(
            families(), ",".join(request.headers.getlist("accept")), request.headers.get("accept-encoding", "")
        )
        return Response(body, headers=headers)

    def lines(request: Request) -> Response:
        if not _knows(request, token):
            return PlainTextResponse("a bearer token is needed\n", 401, _REFUSED)
        if not _is_local(request):
            return PlainTextResponse("log lines are shown to this machine only\n", 403)
        return PlainTextResponse("".join(f"{line}\n" for line in unmatched()))

    def ready(_request: Request) -> Response:
        why = trouble()
        return PlainTextResponse(f"{why}\n", 503) if why else PlainTextResponse("ready\n")

    return Starlette(
        routes=[
            Route("/", lambda _request: PlainTextResponse(_INDEX)),
            Route("/ready", ready),
            Route("/metrics", metrics),
            Route("/unmatched", lines),
        ]
    )


def _knows(request: Request, token: str | None) -> bool:
    if token is None:
        return True
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def _is_local(request: Request) -> bool:
    try:
        here = request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    return here and names_here(request.headers.get("host", ""))  # a page may have turned its own name to here
