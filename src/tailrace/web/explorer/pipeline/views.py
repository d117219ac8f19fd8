"""The pipeline: `/pipeline`, the files that are followed at `/pipeline/files`, rejects at `/pipeline/rejects`.

Parameters of the files: `file` a text in path or reason · `state` · `page`. Nothing here asks the table, but the
rejects, which are a part of their own: the rest is known without a query.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError, one_line
from tailrace.query.result import Lines
from tailrace.query.run import Request as Asked
from tailrace.query.run import run
from tailrace.query.syntax import Matcher
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.pipeline.flow import Line, files, flows, lines_of, total
from tailrace.web.explorer.search.state import State
from tailrace.web.explorer.texts import pipeline as texts
from tailrace.web.explorer.texts.search import EVERYTHING
from tailrace.web.parameters import integer
from tailrace.web.services import Services
from tailrace.web.ship_api import Agents
from tailrace.web.work import Work

FILES_PAGE: Final = 100
REJECTS: Final = f'{EVERYTHING} | detected_error!=""'
REJECTS_MOST: Final = 10
REJECTS_FROM: Final = "now-24h"
_DAY_NS: Final = 86_400 * NS_PER_S
_TIMEOUT_S: Final = 10.0


def routes(services: Services, frame: Frame, work: Work, agents: Agents) -> APIRouter:
    """Return the views."""
    router = APIRouter(include_in_schema=False, prefix="/pipeline")
    frame.share(pipe=texts, source_url=source_url)

    @router.get("")
    async def pipeline(request: Request) -> Response:
        known = await work.run(request, lambda: _known(services, request), lane="quick")
        return frame.page(request, "pipeline/pipeline.html", view="pipeline", agents=agents.told(), **known)

    @router.get("/files")
    async def followed(request: Request) -> Response:
        """Show what is followed."""
        found = await work.run(request, lambda: _files(services, request, FILES_PAGE), lane="quick")
        return frame.page(request, "pipeline/files.html", view="pipeline", **found)

    @router.get("/rejects")
    async def rejects(request: Request) -> Response:
        """Show the newest lines that did not fit their format."""
        parts: dict[str, Any] = {"url": State(q=REJECTS, start=REJECTS_FROM).url(), "found": None, "error": ""}
        try:
            parts["found"] = await work.run(request, lambda: _rejects(services), _TIMEOUT_S)
        except (TailraceError, TimeoutError) as error:
            parts["error"] = one_line(error)
        if request.query_params.get("part"):
            return frame.fragment(request, "pipeline/rejects.html", **parts)
        return frame.page(request, "pipeline/rejects_page.html", view="pipeline", **parts)

    return router


def source_url(source: str, error: str = "") -> str:
    """Return the address of the newest lines of a source, or of those that did not fit their format, by why."""
    wrong = f" | {Matcher('detected_error', '=', error)}" if error else ""
    return State(q=f"{{{Matcher('source', '=', source)}}}{wrong}", start=REJECTS_FROM).url()


def _known(services: Services, request: Request) -> dict[str, Any]:  # Any: parts of the page
    accounts = services.accounts
    found = flows(accounts)
    sinks = lines_of(
        accounts, "sink", ("sink_rows", "state"), ("sink_spool_bytes", ""), ("remote_write_samples", "state")
    )
    ship = lines_of(accounts, "sink", ("ship_queue_bytes", ""), ("ship_requests_total", "result"))
    gate = services.gate
    return {
        "flows": found,
        "total": total(found),
        "parsers": lines_of(accounts, "parser", ("parser_lines_total", "result"), ("parser_seconds_total", "")),
        "sinks": [*sinks, *(Line("ship", line.counts) for line in ship)],
        "channels": lines_of(accounts, "channel", ("channel_rows", "state")),
        "receivers": lines_of(accounts, "receiver", ("intake_refused_total", "why"), ("intake_repeated_total", "")),
        "pushed": lines_of(accounts, "", ("push_refused_total", "why")),
        "closed_connections": lines_of(accounts, "receiver", ("connections_closed_total", "why")),
        "held": (gate.bytes, gate.room) if gate is not None else None,
        "waiting": int(accounts.total("tailrace_intake_requests")),
        "connections": int(accounts.total("tailrace_intake_connections")),
        **_files(services, request, 20),
    }


def _files(services: Services, request: Request, size: int) -> dict[str, Any]:  # Any: parts of the page
    given = request.query_params
    text, state, page = given.get("file", "").strip(), given.get("state", ""), max(1, integer(given, "page", 1))
    found, states = files(services.followed(), text, state)
    return {
        "files": found[(page - 1) * size : page * size],
        "count": len(found),
        "states": states,
        "text": text,
        "state": state,
        "page": page,
        "more": len(found) > page * size,
    }


def _rejects(services: Services) -> Lines:
    now_ns = services.clock.now_ns()
    asked = Asked(REJECTS, now_ns - _DAY_NS, now_ns, None, REJECTS_MOST, timeout_s=_TIMEOUT_S)
    found = run(asked, services.table, services.engine)
    assert isinstance(found, Lines), "a log query gives lines"
    return found
