"""One line, at an address of its own: its page, its panel, what stands around it, its bytes; and pages of the list.

`/explore/rows` gives the script what the search would show at another cursor, by the templates of the search.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tailrace.errors import QueryError, TailraceError
from tailrace.query import parser
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.line import labelled
from tailrace.web.explorer.search import columns, context, edit, pages, panels
from tailrace.web.explorer.search.address import read_address
from tailrace.web.explorer.search.arrived import arrived
from tailrace.web.explorer.search.found import LAST_NS
from tailrace.web.explorer.search.rows import LATENESS_NS, folded, record, record_text
from tailrace.web.explorer.search.state import Cursor, State, read_state
from tailrace.web.explorer.texts import lines as texts
from tailrace.web.explorer.texts.search import EVERYTHING
from tailrace.web.parameters import integer
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.times import iso
from tailrace.web.work import Work

_OWN: Final = frozenset({"span", "around", "before", "after"})
_SPAN: Final = re.compile(r"(-?\d{1,19})_(-?\d{1,19})", re.ASCII)
_HALF_HOUR_NS: Final = 1_800 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request is about: the state of the search, without what is of this address alone."""

    state: State
    given: QueryParams

    @property
    def query(self) -> str:
        return self.state.q or EVERYTHING

    @property
    def finds(self) -> list[str]:
        try:
            tree = parser.parse(self.query)
        except QueryError:
            return []
        return edit.finds(tree) if isinstance(tree, LogQuery) else []

    def parts(self, **more: Any) -> dict[str, Any]:  # Any: what a template takes
        state = self.state.change(selected="")
        return {"state": state, "base": state.url("").removeprefix("?"), "finds": self.finds, **more}


def routes(services: Services, frame: Frame, work: Work) -> APIRouter:
    """Return the addresses of lines."""
    router = APIRouter(include_in_schema=False)
    frame.share(columns=columns, record_text=record_text, lateness=lateness, line_says=texts, ways=context.WAYS)
    _add_rows(router, services, frame, work)
    _add_line(router, services, frame, work)
    _add_forms(router, services, work)
    router.include_router(labelled.routes(services, frame, work))
    return router


def _add_rows(router: APIRouter, services: Services, frame: Frame, work: Work) -> None:
    @router.get("/explore/rows")
    async def rows(request: Request) -> Response:
        """Return lines of the list at a cursor, or what came in since the list was begun."""
        asked = _asked(request)
        match = _SPAN.fullmatch(asked.given.get("span", ""))
        if match is None:
            raise QueryError("span= is not the range of a list", hint="load the page again")
        state, span = asked.state, (int(match[1]), int(match[2]))
        if asked.given.get("part") == "arrived":
            version = state.cursor.version if state.cursor else 0
            fresh = await work.run(request, lambda: arrived(services, asked.query, *span, version))
            return frame.fragment(request, "line/arrived.html", **asked.parts(fresh=fresh))
        listing = pages.Listing(services, asked.query, *span, state.limit)
        page = await work.run(request, partial(pages.listed, listing, state.cursor, exact=True), lane="search")
        shown = folded(page.rows) if state.fold else page.rows
        return frame.fragment(request, "line/rows.html", **asked.parts(seen=page, rows=shown))


def _add_line(router: APIRouter, services: Services, frame: Frame, work: Work) -> None:
    @router.get("/line/{address}")
    async def line(request: Request, address: str) -> Response:
        """Show a line with all its fields and what stands around it."""
        asked = _asked(request)
        part = asked.given.get("part", "")
        try:
            found = await work.run(request, lambda: panels.panel(services, asked.query, address), lane="search")
        except QueryError as error:
            return _gone(request, frame, asked, 400, texts.BAD_ADDRESS, str(error), None)
        if found is None:
            time_ns = read_address(address).time_ns
            return _gone(request, frame, asked, 404, texts.NO_LINE, texts.GONE, time_ns)
        parts = asked.parts(row=found.row, line=found.line, kinds=found.kinds, more=context.MORE)
        if part == "panel":
            return frame.fragment(request, "search/panel.html", **parts)
        wanted = _wanted(asked.given)
        around, problem = None, ""
        try:
            ask = partial(context.around, services, found.line, **wanted)
            around = await work.run(request, ask, lane="search")
        except (TailraceError, TimeoutError) as error:
            if part:
                raise
            problem = str(error)
        parts |= {"context": around, "problem": problem, **wanted}
        if part:
            return frame.fragment(request, "line/around.html", **parts)
        at = Cursor("before", found.row.time_ns, found.row.skip)
        back = asked.state.change(selected=str(found.address), cursor=at).url() + "#sel"
        return frame.page(request, "line/page.html", view="search", search_url=back, **parts)


def _add_forms(router: APIRouter, services: Services, work: Work) -> None:
    @router.get("/line/{address}/raw")
    async def raw(request: Request, address: str) -> Response:
        """Send the bytes of a line, as they are."""
        found = await _found(request, services, work, address)
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'inline; filename="{found.address}.txt"'}
        kind = "text/plain; charset=utf-8" if found.line.raw is None else "application/octet-stream"
        return Response(found.line.content, media_type=kind, headers=headers)

    @router.get("/line/{address}/json")
    async def as_json(request: Request, address: str) -> Response:
        """Send a line with all its labels."""
        found = await _found(request, services, work, address)
        return JSONResponse(record(found.row), headers={"Cache-Control": "no-store"})


async def _found(request: Request, services: Services, work: Work, address: str) -> panels.Panel:
    query = _asked(request).query
    found = await work.run(request, lambda: panels.panel(services, query, address), lane="search")
    if found is None:
        raise Refused(404, texts.GONE)
    return found


def _gone(
    request: Request, frame: Frame, asked: _Asked, status: int, title: str, why: str, time_ns: int | None
) -> Response:
    state = asked.state.change(selected="")
    near = ""
    if time_ns is not None and abs(time_ns) < LAST_NS:
        near = state.change(start=iso(time_ns - _HALF_HOUR_NS), end=iso(time_ns + _HALF_HOUR_NS)).url()
    parts = {"title": title, "why": why, "near": near, "search_url": state.url()}
    if asked.given.get("part"):
        raise Refused(status, why)
    return frame.page(request, "line/gone.html", view="search", status=status, **parts)


def _asked(request: Request) -> _Asked:
    state = read_state(request.query_params)
    others = tuple((name, value) for name, value in state.others if name not in _OWN)
    return _Asked(replace(state, others=others), request.query_params)


def _wanted(given: QueryParams) -> dict[str, Any]:  # Any: a text and two numbers
    way = given.get("around", "")

    def count(name: str) -> int:
        return min(max(0, integer(given, name, context.USUAL)), context.MOST)

    return {"way": way if way in context.WAYS else context.WAYS[0], "before": count("before"), "after": count("after")}


def lateness(late_ns: int) -> str:
    """Return how long after its time a line was read, in words."""
    seconds = late_ns / 1_000_000_000
    text = (texts.READ_AFTER if late_ns >= 0 else texts.READ_BEFORE).format(seconds=f"{abs(seconds):,.3f}")
    return f"{text}: {texts.LATE}" if late_ns >= LATENESS_NS else text
