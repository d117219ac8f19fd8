"""Export of a search: a form that asks the API for a file, and how far a file is.

The form works without script; with it the page shows how many rows were sent, and can cancel.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.search import histogram
from tailrace.web.explorer.search.lasting import saved_address
from tailrace.web.explorer.search.spans import Span, choose
from tailrace.web.explorer.search.state import State, read_state
from tailrace.web.explorer.texts import export as texts
from tailrace.web.explorer.texts.search import EVERYTHING
from tailrace.web.exports import Exports, Progress
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.work import Work

SHOWN: Final = ("level", "service_name")
"""What the list shows of every line, beside its time and text."""

_NOT_KEPT: Final = {"Cache-Control": "no-store"}


def routes(services: Services, frame: Frame, work: Work, known: Exports) -> APIRouter:
    """Return the form and the progress."""
    router = APIRouter(include_in_schema=False)
    frame.share(export_says=texts)

    @router.get("/explore/export")
    async def form(request: Request) -> Response:
        """Ask what the file is to look like."""
        state = read_state(request.query_params)
        query = state.q or EVERYTHING
        try:
            of_lines = isinstance(parser.parse(query), LogQuery)
            span = await work.run(request, lambda: choose(services, state, services.clock.now_ns()), lane="quick")
        except QueryError as error:
            return frame.page(
                request, "search/export.html", view="search", status=400, error=error, search_url=_back(state)
            )
        return frame.page(
            request,
            "search/export.html",
            view="search",
            error=None,
            search_url=_back(state),
            query=query,
            span=span,
            of_lines=of_lines,
            step="" if of_lines else _step(span),
            columns=tuple(dict.fromkeys((*SHOWN, *state.columns))),
        )

    @router.get("/explore/export/{job}")
    def look(job: str) -> Response:
        """Tell how far a file is."""
        progress = _found(known, job)
        said = {"state": progress.state, "rows": str(progress.rows), "bytes": str(progress.size)}
        return JSONResponse({**said, "share": round(progress.share, 4), "why": progress.why}, headers=_NOT_KEPT)

    @router.post("/explore/export/{job}/cancel")
    def cancel(job: str) -> Response:
        """End a file; who loads it sees that it broke off."""
        _found(known, job).cancel()
        return Response(status_code=204)

    return router


def _back(state: State) -> str:
    address = saved_address(state)
    return f"/?{address}" if address else "/"


def _step(span: Span) -> str:
    """Return the step of a chart of the range, as a parameter."""
    return f"{histogram.grid(span.start_ns, span.end_ns).step_ns / NS_PER_S:g}s"


def _found(known: Exports, job: str) -> Progress:
    progress = known.get(job)
    if progress is None:
        raise Refused(404, "no export of this name is known")
    return progress
