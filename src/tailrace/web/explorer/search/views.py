"""The page of logs: a query, its counts over time, values to filter by, and what was found, as one of several tabs.

Parts of the page are asked for side by side, each in a thread, and fail apart (`parts`). What is slow comes last: the
page is sent as far as it is known, and goes on when the rest is there, so it needs no script for that. With `part=` the
same address gives one part of the page alone.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import asyncio
import secrets
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from fastapi import APIRouter
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from tailrace.batch import column_field, is_field
from tailrace.contracts import CONFINED
from tailrace.errors import QueryError, TailraceError
from tailrace.query.pattern_mining import HOLE
from tailrace.web.explorer.frame import Frame, may
from tailrace.web.explorer.marks import line_html
from tailrace.web.explorer.search import asked, chart, edit, patterns
from tailrace.web.explorer.search.facets import Facet, percent
from tailrace.web.explorer.search.parts import View, begin, fill
from tailrace.web.explorer.search.state import LEVEL, State, read_state
from tailrace.web.explorer.texts import overview
from tailrace.web.explorer.texts import search as texts
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.work import Work

PATH_CHARS: Final = 22
SPLITS_MOST: Final = 100
"""Fields that are offered to split the counts by; others can be typed in the address."""
OFFER_S: Final = 0.2
"""How long the page waits for names of saved searches."""
_HOLE: Final = Markup('<i class="hole">…</i>')

FRAGMENTS: Final = {
    "overview": (("bars",), "search/overview.html"),
    "rail": (("rail",), "search/rail.html"),
    "patterns": (("patterns",), "search/patterns.html"),
    "fields": (("fields",), "search/fields.html"),
    "chart": (("chart",), "search/chart.html"),
}
"""Parts of the page that can be had alone: what is asked for, and the template that the page has for them too."""

OF_LINES: Final = frozenset({"bars", "rail", "patterns", "fields"})
"""Parts that a metric query has not."""


def routes(services: Services, frame: Frame, work: Work) -> APIRouter:
    """Return the page and what belongs to it."""
    router = APIRouter(include_in_schema=False)
    _share(frame)

    @router.get("/")
    @router.get("/explore")
    async def explore(request: Request) -> Response:
        state, error = _state(request)
        if error is None and asked.is_due(state):
            try:
                instead = await work.run(request, lambda: asked.instead(services, state), lane="quick")
                return RedirectResponse(instead.url(), 303)
            except QueryError as mistake:
                error = mistake
        view = View(state, state.q or texts.EVERYTHING, services, partial(work.run, request), error)
        part = request.query_params.get("part")
        return await (_fragment(request, frame, view, part) if part else _page(request, frame, view))

    _add_edit(router)
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


async def _page(request: Request, frame: Frame, view: View) -> Response:
    """Return the page of a tab; its slower parts are sent when they are there."""
    later: tuple[str, ...] = ()
    if await begin(view):
        tab = view.tabs[view.tab]
        await asyncio.gather(fill(view, tab.parts), _offer(frame, view))
        later = () if view.error else tab.later
    marks = {name: f"<!--{secrets.token_hex(16)}-->" for name in later}
    whole = frame.page(
        request,
        "search/explore.html",
        view="search",
        status=400 if view.error else 200,
        seen=view,
        state=view.state,
        base=view.base,
        later=lambda name: Markup(marks.get(name, "")),  # noqa: S704  our own text
    )
    if not later:
        return whole

    async def pieces() -> AsyncIterator[str]:
        rest = bytes(whole.body).decode()
        for name, mark in marks.items():
            head, _, rest = rest.partition(mark)
            yield head
            yield await _rendered(request, frame, view, name)
        yield rest

    return StreamingResponse(pieces(), whole.status_code, media_type="text/html", headers={"Cache-Control": "no-store"})


async def _offer(frame: Frame, view: View) -> None:
    """Ask for some saved searches where the page begins; the lines do not wait for a slow database of them."""
    if not view.begins:
        return
    try:
        async with asyncio.timeout(OFFER_S):
            view.kept = await view.start(frame.kept)
    except (TailraceError, TimeoutError):
        view.failed["kept"] = texts.NOT_OFFERED


async def _rendered(request: Request, frame: Frame, view: View, name: str) -> str:
    parts, template = FRAGMENTS[name]
    await fill(view, parts)
    return frame.html(template, seen=view, state=view.state, base=view.base, may_change=may(request, "admin"))


async def _fragment(request: Request, frame: Frame, view: View, name: str) -> Response:
    """Return one part of the page; a mistake in the query as the page shows it."""
    if name not in FRAGMENTS:
        raise Refused(404, f"part={name[:40]!r} is no part of this page; there are {', '.join(FRAGMENTS)}")
    parts, template = FRAGMENTS[name]
    if await begin(view):
        if set(parts) <= OF_LINES and not view.lines_wanted:
            raise Refused(400, texts.NO_LINES)
        await fill(view, parts)
    if view.error:
        template = "search/problem.html"
    status = 400 if view.error else 200
    return frame.fragment(request, template, status=status, seen=view, state=view.state, base=view.base)


def tabs(view: View) -> list[tuple[str, str, str, int | None]]:
    """Return the tabs that the query has: name, title, address, and how many there are of what it shows, if known."""
    counts = {"lines": view.bars.total if view.bars else None}
    return [
        (name, texts.TABS[name], view.state.change(tab=name, selected="").url(), counts.get(name)) for name in view.tabs
    ]


def splits(view: View) -> list[str]:
    """Return what the counts can be split by: level, labels, fields; tenants are not told what fields others have."""
    columns = () if view.services.engine.name == CONFINED else view.services.table.snapshot().columns
    fields = sorted({column_field(column) for column in columns if is_field(column)} - {LEVEL, *view.names})
    asked = [view.state.by] if view.state.by not in (LEVEL, *view.names, *fields) else []
    return [LEVEL, *view.names, *asked, *fields[:SPLITS_MOST]]


def named(name: str) -> str:
    """Return how what counts are split by is called on the page."""
    return overview.LEVEL if name == LEVEL else overview.FIELD.format(name=name) if name == overview.LEVEL else name


def numbers(view: View) -> list[str]:
    """Return the fields that hold numbers, as far as the table knows."""
    columns = {} if view.services.engine.name == CONFINED else view.services.table.snapshot().columns
    return sorted({column_field(name) for name, kind in columns.items() if is_field(name) and kind.is_numeric()})


def pattern_ways(view: View, text: str) -> tuple[str, str]:
    """Return where the lines of a pattern are shown, and where all others are; empty if no query can tell."""
    kept, dropped = (patterns.filtered(view.log, text, op) for op in ("|>", "!>"))
    return (view.state.change(q=kept, tab="lines").url(), view.state.change(q=dropped).url()) if kept else ("", "")


def holes(text: str) -> Markup:
    """Return a pattern with a mark for what varies."""
    return _HOLE.join(line_html(part, []) for part in text.split(HOLE))


def chart_of(state: State, facet: Facet) -> str:
    """Return the address of a chart of a field of numbers."""
    of = f"{facet.type}({facet.name})" if facet.type in ("duration", "bytes") else facet.name
    others = [(name, value) for name, value in state.others if name not in chart.KEYS]
    return state.change(tab="chart", others=(*others, ("stat", "avg"), ("of", of))).url()


def kind(view: View, name: str) -> str:
    """Return what a click on a value of a label is one on."""
    return "stream" if name in view.names else "field"


def _state(request: Request) -> tuple[State, QueryError | None]:
    try:
        return read_state(request.query_params), None
    except QueryError as error:
        return State(q=request.query_params.get("q", "")), error


def short_path(value: str) -> str:
    """Return the end of a long path, where paths differ; other values as they are."""
    return "…/" + "/".join(value.split("/")[-2:]) if value.startswith("/") and len(value) > PATH_CHARS else value


def _share(frame: Frame) -> None:
    """Give the templates of this room what they call."""
    frame.share(
        click=edit.click,
        short=short_path,
        says=texts,
        overview=overview,
        percent=percent,
        splits_of=splits,
        split_name=named,
        kind_of=kind,
        numbers_of=numbers,
        chart_steps=chart.STEPS,
        chart_of=chart_of,
        pattern_ways=pattern_ways,
        holes=holes,
        tabs_of=tabs,
    )
