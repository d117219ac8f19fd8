"""Share what is shown: an address whose range stays where it is now, with the open line, for whoever may search.

Works without a control database; where there is one the page offers to shorten the address.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import re
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.search.lasting import frozen
from tailrace.web.explorer.search.spans import choose
from tailrace.web.explorer.search.state import read_state
from tailrace.web.services import Services
from tailrace.web.work import Work

_KEY: Final = re.compile(r"[0-9a-f]{16}")


def routes(services: Services, frame: Frame, work: Work) -> APIRouter:
    """Return the page."""
    router = APIRouter(include_in_schema=False)

    @router.get("/explore/share")
    async def share(request: Request) -> Response:
        """Show the address of what is shown."""
        state = read_state(request.query_params)
        span = await work.run(request, lambda: choose(services, state, services.clock.now_ns()), lane="quick")
        kept, short = frozen(state, span), request.query_params.get("short", "")
        return frame.page(
            request,
            "saved/share.html",
            view="search",
            state=state,
            span=span,
            address=kept.url("").removeprefix("?"),
            origin=str(request.base_url).rstrip("/"),
            short=short if _KEY.fullmatch(short) else "",
        )

    return router
