"""Dashboards: `/dashboard`, one of them at `/dashboard/{id}`, and what changes them.

Parameters: `from`, `to` range of all panels · `refresh` seconds between two askings, by the script · `edit` `1`. Every
change is a form that is sent and answered with the page again. Panels are asked side by side, a few at a time.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace.clock import NS_PER_S
from tailrace.errors import DataError, QueryError, TailraceError, one_line
from tailrace.query.syntax import Matcher, Selector
from tailrace.web.explorer.dashboard.model import LEVEL, Dashboard, Panel, checked, from_json, parsed, to_json
from tailrace.web.explorer.dashboard.panels import TIMEOUT_S, Drawn, drawn
from tailrace.web.explorer.dashboard.start import START
from tailrace.web.explorer.dashboard.store import Dashboards
from tailrace.web.explorer.frame import Frame, may
from tailrace.web.explorer.search import asked
from tailrace.web.explorer.search.spans import Span, choose
from tailrace.web.explorer.search.state import State
from tailrace.web.explorer.texts import dashboard as texts
from tailrace.web.parameters import parameters, read_json
from tailrace.web.refusals import Refused
from tailrace.web.services import Services
from tailrace.web.work import Work

AT_ONCE: Final = 4
"""Panels of one page that are asked at the same time: the others' pages want to be answered too."""

_LOOK_NS: Final = 24 * 3_600 * NS_PER_S
"""How far back a word is looked for among the names of recorded series."""

_NAME: Final = re.compile(r"[A-Za-z_][\w:]*")
_MAYBE_WORDS: Final = re.compile(r"[\w\s:*.-]+")
"""What can be read as words as well as as names of series: `card -debug`, `level:warn`."""

_HOME: Final = "/dashboard"
_MOVES: Final = {"up": -1, "down": 1}


class Boards:
    """Reads dashboards and has their panels drawn, for the requests of all views of this room."""

    def __init__(self, services: Services, kept: Dashboards, work: Work) -> None:
        self.services, self.kept, self.work = services, kept, work

    def get(self, name: str) -> Dashboard:
        """Return a dashboard by what its address says."""
        if name == START.id:
            return START
        return self.kept.get(number(name))

    async def span(self, request: Request) -> Span:
        """Return the range of time that the address names."""
        given = request.query_params
        state = State(start=given.get("from", "").strip(), end=given.get("to", "").strip())
        services = self.services
        return await self.work.run(request, lambda: choose(services, state, services.clock.now_ns()), lane="quick")

    def in_logql(self, panel: Panel) -> Panel:
        """Return a panel with plain words read as the query that they stand for; the name of a series is none."""
        if self._is_recorded(panel.query):
            return panel
        return replace(panel, query=asked.in_logql(self.services, panel.query))

    def _is_recorded(self, query: str) -> bool:
        """Tell whether a query is of recorded series; of what could be plain words, one must be the name of such."""
        try:
            parsed(query)
        except QueryError:
            return False
        if not _MAYBE_WORDS.fullmatch(query):
            return True
        names, services = set(_NAME.findall(query)), self.services
        rules = [rule for group in services.rules.groups() for rule in group["rules"]]
        recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
        now_ns, named = services.clock.now_ns(), Matcher("__name__", "=~", "|".join(names))
        return bool(names & recorded or services.recordings.series(now_ns - _LOOK_NS, now_ns, [Selector((named,))]))

    async def draw(self, request: Request, panel: Panel, span: Span) -> Drawn:
        """Return a panel with its answer, or with what went wrong."""
        services = self.services
        try:
            return await self.work.watched(request, lambda gone: drawn(panel, services, span, gone), TIMEOUT_S)
        except TimeoutError:
            return Drawn(panel, error=texts.TOO_LONG)
        except TailraceError as error:
            return Drawn(panel, error=one_line(error))

    async def draw_all(self, request: Request, panels: tuple[Panel, ...], span: Span) -> list[Drawn]:
        """Return all panels, asked a few at a time."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(panel: Panel) -> Drawn:
            async with turns:
                return await self.draw(request, panel, span)

        return list(await asyncio.gather(*(one(panel) for panel in panels)))


def routes(services: Services, frame: Frame, kept: Dashboards, work: Work) -> APIRouter:
    """Return the views and the changes."""
    router = APIRouter(include_in_schema=False, prefix=_HOME)
    boards = Boards(services, kept, work)
    frame.share(board_texts=texts)
    _add_new(router, frame, boards)
    _add_pages(router, frame, boards)
    _add_changes(router, frame, boards)
    return router


def _add_pages(router: APIRouter, frame: Frame, boards: Boards) -> None:
    @router.get("")
    async def home(request: Request) -> Response:
        """Show the first dashboard that was saved, or the one that everybody has."""
        saved = await run_in_threadpool(boards.kept.all)
        return await _page(request, frame, boards, saved[0] if saved else START)

    @router.get("/{name}")
    async def one(request: Request, name: str) -> Response:
        return await _page(request, frame, boards, await run_in_threadpool(boards.get, name))

    @router.get("/{name}/panels/{panel}")
    async def part(request: Request, name: str, panel: str) -> Response:
        """Return one panel, asked again."""
        board = await run_in_threadpool(boards.get, name)
        found = board.panel(panel)
        if found is None:
            raise Refused(404, "there is no such panel any more")
        span = await boards.span(request)
        return frame.fragment(request, "dashboard/panel.html", drawn=await boards.draw(request, found, span))

    @router.get("/{name}/export")
    def export(name: str) -> Response:
        """Return a dashboard as a file."""
        board = boards.get(name)
        text = json.dumps(to_json(board), ensure_ascii=False, indent=2) + "\n"
        file = "".join(char if char.isascii() and char.isalnum() else "-" for char in board.name) or "dashboard"
        return Response(
            text, media_type="application/json", headers={"Content-Disposition": f'attachment; filename="{file}.json"'}
        )


def _add_new(router: APIRouter, frame: Frame, boards: Boards) -> None:
    @router.get("/new")
    async def new(request: Request) -> Response:
        """Show the ways to a new dashboard."""
        return frame.page(request, "dashboard/new.html", view="dashboard", error=None, given=request.query_params)

    @router.post("/new")
    async def create(request: Request) -> Response:
        """Make a dashboard: empty, a copy, or of a file's text."""
        given = await parameters(request)
        try:
            name, panels = await run_in_threadpool(_new, boards, given)
            made = await run_in_threadpool(boards.kept.create, name, panels)
        except (QueryError, DataError) as error:
            return frame.page(request, "dashboard/new.html", view="dashboard", status=400, error=error, given=given)
        return _to(made.id, edit="" if given.get("text") else "1")

    @router.get("/add")
    async def offer(request: Request) -> Response:
        """Show a query as a panel, and ask where to put it."""
        return await _offer(request, frame, boards, request.query_params, None)

    @router.post("/add")
    async def add(request: Request) -> Response:
        """Put a panel on a dashboard, or on a new one."""
        given = await parameters(request)
        panel = _panel(given)
        try:
            panel = checked(await run_in_threadpool(boards.in_logql, panel))
            target = given.get("to_board", "")
            if not target:
                target = (await run_in_threadpool(boards.kept.create, given.get("name") or texts.UNTITLED)).id
            await run_in_threadpool(boards.kept.add, number(target), panel)
        except QueryError as error:
            return await _offer(request, frame, boards, given, error)
        return _to(target)


def _add_changes(router: APIRouter, frame: Frame, boards: Boards) -> None:
    kept = boards.kept

    @router.post("/{name}/rename")
    async def rename(request: Request, name: str) -> Response:
        given = await parameters(request)
        return await _change(request, frame, boards, name, lambda: kept.rename(number(name), given.get("name", "")))

    @router.post("/{name}/delete")
    def delete(name: str) -> Response:
        kept.delete(number(name))
        return RedirectResponse(_HOME, 303)

    @router.post("/{name}/add")
    async def add(request: Request, name: str) -> Response:
        panel = _panel(await parameters(request))
        return await _change(request, frame, boards, name, lambda: kept.add(number(name), boards.in_logql(panel)))

    @router.post("/{name}/panels/{panel}")
    async def change(request: Request, name: str, panel: str) -> Response:
        given = await parameters(request)
        what = given.get("do", "save")

        def do() -> None:
            if what in _MOVES:
                kept.move(number(name), panel, _MOVES[what])
            elif what == "remove":
                kept.remove(number(name), panel)
            else:
                kept.replace(number(name), replace(boards.in_logql(_panel(given)), id=panel))

        return await _change(request, frame, boards, name, do, f"#panel-{panel}")


async def _change(
    request: Request, frame: Frame, boards: Boards, name: str, do: Callable[[], object], place: str = ""
) -> Response:
    try:
        await run_in_threadpool(do)
    except QueryError as error:
        return await _page(request, frame, boards, await run_in_threadpool(boards.get, name), error)
    return _to(name, edit="1", place=place)


async def _page(
    request: Request, frame: Frame, boards: Boards, board: Dashboard, error: QueryError | None = None
) -> Response:
    given = request.query_params
    edit = error is not None or (given.get("edit") == "1" and not board.built_in)
    failed, span, panels = error, None, [Drawn(panel) for panel in board.panels]
    try:
        span = await boards.span(request)
        panels = panels if edit else await boards.draw_all(request, board.panels, span)
    except QueryError as problem:  # of the range
        failed = problem
    refresh = given.get("refresh", "0")
    return frame.page(
        request,
        "dashboard/board.html",
        view="dashboard",
        status=200 if failed is None else 400,
        board=board,
        boards=[*await run_in_threadpool(boards.kept.all), START],
        panels=panels,
        span=span,
        error=failed,
        edit=edit,
        refresh=refresh if refresh in dict(texts.REFRESH) else "0",
        given=given,
        link=_link(given, board),
        may_edit=may(request, "query"),
    )


async def _offer(
    request: Request, frame: Frame, boards: Boards, given: QueryParams, error: QueryError | None
) -> Response:
    panel, preview = _panel(given), None
    if panel.query and error is None:
        try:
            panel = checked(await run_in_threadpool(boards.in_logql, panel))
            preview = await boards.draw(request, panel, await boards.span(request))
        except QueryError as problem:
            error = problem
    return frame.page(
        request,
        "dashboard/add.html",
        view="dashboard",
        status=200 if error is None else 400,
        panel=panel,
        preview=preview,
        error=error,
        boards=await run_in_threadpool(boards.kept.all),
        given=given,
    )


def _new(boards: Boards, given: QueryParams) -> tuple[str, list[Panel]]:
    if given.get("copy"):
        board = boards.get(given["copy"])
        return given.get("name") or texts.COPY.format(name=board.name), list(board.panels)
    if "text" in given:
        if not given["text"].strip():
            raise QueryError(texts.NO_FILE)
        return from_json(read_json(given["text"].encode()))
    return given.get("name") or texts.UNTITLED, []


def _panel(given: QueryParams) -> Panel:
    """Return what a form says of a panel; `checked` looks at it when it is kept."""
    kind: Any = given.get("kind") or "bars"  # Any: whatever was sent
    width: Any = given.get("width") or "half"
    query = given.get("query") or given.get("q") or given.get("expr") or ""
    return Panel(given.get("title", ""), query.strip(), kind, given.get("by", LEVEL).strip(), width)


def _link(given: QueryParams, board: Dashboard) -> Any:  # Any: what templates call with keywords
    """Return what makes the address of this page, or of a panel of it, with other parameters; empty ones go."""

    def link(panel: str = "", **changes: str) -> str:
        names = {"from_": "from"}
        new = {names.get(name, name): value for name, value in changes.items()}
        pairs = {name: given.get(name, "") for name in ("from", "to", "refresh", "edit")} | new
        told = urlencode({name: value for name, value in pairs.items() if value and value != "0"})
        return f"{_HOME}/{board.id}" + (f"/panels/{panel}" if panel else "") + (f"?{told}" if told else "")

    return link


def _to(board: str, edit: str = "", place: str = "") -> Response:
    return RedirectResponse(f"{_HOME}/{board}" + ("?edit=1" if edit else "") + place, 303)


def number(name: str) -> int:
    """Return the number of a saved dashboard; `Refused` for what is none."""
    if not name.isascii() or not name.isdigit() or len(name) > 15:  # noqa: PLR2004  digits that every database holds
        raise Refused(404, "there is no such dashboard" if name != START.id else "copy this dashboard to change it")
    return int(name)
