"""Search: `/` and `/explore`, its live lines, and its clicks.

A view reads the state from the address, asks for the parts side by side, and renders one template. Everything works
without script; the script only saves the way to the server.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace.errors import QueryError, TailraceError
from tailrace.query import parser
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request as Asked
from tailrace.query.run import run
from tailrace.query.syntax import LogQuery, Query
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.search import edit, found, histogram
from tailrace.web.explorer.search.spans import Span, choose
from tailrace.web.explorer.search.state import State, read_state
from tailrace.web.explorer.shapes import curves
from tailrace.web.explorer.texts import search as texts
from tailrace.web.live import LiveTails
from tailrace.web.services import Services
from tailrace.web.work import Work

T = TypeVar("T")
PATH_CHARS: Final = 22
_LOGQL_MARKS: Final = "{}()[]|"
"""A text with one of these is LogQL; a mistake in it is shown, not searched for."""


class Start(Protocol):
    """Runs a part of a view in a thread, for the request at hand."""

    def __call__(self, ask: Callable[[], T]) -> Awaitable[T]:
        """Return what the part gives."""
        ...


@dataclass(slots=True)
class View:
    """What the template shows; parts that do not apply stay empty, parts that failed are in `failed`."""

    state: State
    query: str
    span: Span | None = None
    error: QueryError | None = None
    lines: found.LinePage | None = None
    bars: list[histogram.Bar] = field(default_factory=list)
    facets: list[found.Facet] = field(default_factory=list)
    chart: curves.Chart | None = None
    nearest: tuple[str, int] | None = None
    finds: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def routes(services: Services, frame: Frame, work: Work, tails: LiveTails) -> APIRouter:
    """Return the page and what belongs to it."""
    router = APIRouter(include_in_schema=False)
    _share(frame)

    @router.get("/")
    @router.get("/explore")
    async def explore(request: Request) -> Response:
        state, error = _state(request)
        words = _as_search(state.q)
        if words:
            return RedirectResponse(state.change(q=words).url(), 303)
        view = View(state, state.q or texts.EVERYTHING, error=error)
        if error is None:
            await _fill(view, services, partial(work.run, request))
        base = urlencode(state.change(q=view.query if state.q else "").pairs())
        status = 400 if view.error else 200
        return frame.page(
            request, "search/explore.html", view="search", status=status, seen=view, state=state, base=base
        )

    _add_edit(router)
    _add_live(router, frame, tails)
    return router


def _add_edit(router: APIRouter) -> None:
    @router.get("/explore/edit")
    def edit_query(request: Request) -> Response:
        """Turn a click on a value into the query that says it."""
        state, given = read_state(request.query_params), request.query_params
        query = state.q or texts.EVERYTHING
        for name, keep in (("in", True), ("out", False)):
            for clicked in given.getlist(name):
                query = edit.edited(query, clicked, keep)
        return RedirectResponse(state.change(q=query).url(), 303)


def _add_live(router: APIRouter, frame: Frame, tails: LiveTails) -> None:
    @router.get("/explore/live")
    def live(request: Request) -> Response:
        """Send new lines as they come, rendered as in the list."""
        state = read_state(request.query_params)
        query, base = state.q or texts.EVERYTHING, urlencode(state.change().pairs())
        finds = edit.finds(_log_query(query))

        def render(lines: Lines) -> list[tuple[str, str]]:
            rows = found.rows_of(lines.frame)[::-1]
            return [("lines", frame.html("search/rows.html", rows=rows, finds=finds, base=base).strip())]

        return tails.open(query, render)


async def _fill(view: View, services: Services, start: Start) -> None:
    """Ask for what the view shows."""
    try:
        tree = parser.parse(view.query)
        view.span = await start(lambda: choose(services, view.state, services.clock.now_ns()))
        await _fill_parts(view, services, tree, view.span, start)
    except QueryError as error:
        view.error = error
    except (TailraceError, TimeoutError) as error:
        view.failed["lines"] = str(error) or "the query took too long"


async def _fill_parts(view: View, services: Services, tree: Query, span: Span, start: Start) -> None:
    query, start_ns, end_ns = view.query, span.start_ns, span.end_ns
    if not isinstance(tree, LogQuery):
        view.chart = await start(lambda: _chart(services, query, start_ns, end_ns))
        return
    view.finds = edit.finds(tree)
    state = view.state
    page, bars, facets = await asyncio.gather(
        start(lambda: found.page(services, query, start_ns, end_ns, state.limit, state.cursor)),
        start(lambda: found.bars(services, tree, start_ns, end_ns)),
        start(lambda: found.facets(services, tree, start_ns, end_ns)),
        return_exceptions=True,
    )
    view.lines = _got(page)
    view.bars = _part(view, "bars", bars, [])
    view.facets = _part(view, "facets", facets, [])
    if not view.lines.rows and state.cursor is None and span.rows_exist:
        nearest = await asyncio.gather(
            start(lambda: found.nearest(services, query, start_ns, end_ns)), return_exceptions=True
        )
        view.nearest = _part(view, "nearest", nearest[0], None)


def _chart(services: Services, query: str, start_ns: int, end_ns: int) -> curves.Chart:
    grid = histogram.grid(start_ns, end_ns)
    asked = Asked(query, grid.start_ns, grid.end_ns, grid.step_ns)
    answer = run(asked, services.table, services.engine)
    assert isinstance(answer, Series), "a metric query gives numbers"
    return curves.chart(answer, grid.start_ns, grid.end_ns, grid.step_ns)


def _got(part: T | BaseException) -> T:
    if isinstance(part, BaseException):
        raise part
    return part


def _part(view: View, name: str, part: T | BaseException, empty: T) -> T:
    """Return a part, or note why it is missing; only failures made on purpose may be missing quietly."""
    if isinstance(part, TailraceError | TimeoutError):
        view.failed[name] = " ".join(str(part).split()) or "it took too long"
        return empty
    return _got(part)


def _state(request: Request) -> tuple[State, QueryError | None]:
    try:
        return read_state(request.query_params), None
    except QueryError as error:
        return State(q=request.query_params.get("q", "")), error


def _log_query(query: str) -> LogQuery:
    tree = parser.parse(query)
    if not isinstance(tree, LogQuery):
        raise QueryError("a metric query has no lines to follow")
    return tree


def _as_search(text: str) -> str:
    """Return the LogQL that searches for plain words; empty when the text is LogQL, or is meant to be."""
    if not text or any(mark in text for mark in _LOGQL_MARKS):
        return ""
    try:
        parser.parse(text)
    except QueryError:
        return edit.search(text)
    return ""


def short_path(value: str) -> str:
    """Return the end of a long path, where paths differ; other values as they are."""
    return "…/" + "/".join(value.split("/")[-2:]) if value.startswith("/") and len(value) > PATH_CHARS else value


def _share(frame: Frame) -> None:
    """Give the templates of this room what they call."""
    frame.share(
        click=edit.click, short=short_path, boxes=histogram.boxes, totals=histogram.totals, hist=histogram, says=texts
    )
