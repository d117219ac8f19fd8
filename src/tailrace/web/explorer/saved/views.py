"""The list of saved searches, the page of one with its versions, and the short links.

Everybody who may query may save; a search is changed by its owner, or by an operator (scope `admin`).
"""

from __future__ import annotations

# ruff: noqa: TC002 -- FastAPI reads the annotations of endpoints at run time
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace.errors import DataError, QueryError
from tailrace.web.explorer.frame import Frame, may, principal
from tailrace.web.explorer.saved.store import ABOUT_CHARS, NAME_CHARS, ChangedMeanwhileError, Content, Saved, Search
from tailrace.web.explorer.search.lasting import Opened, opened, opened_url, saved_address, state_of
from tailrace.web.explorer.search.state import State, read_state
from tailrace.web.explorer.texts import saved as texts
from tailrace.web.parameters import parameters
from tailrace.web.refusals import Refused

_LINK: Final = re.compile(r"[0-9a-f]{16}")
_NAMES: Final = 1_000
_MENU: Final = 30  # searches that the menu of the search page lists
_OFFERED: Final = 3  # searches that the page offers before anything is asked
_SEE_OTHER: Final = 303


@dataclass(slots=True)
class Names:
    """Names of searches that were seen here, so that a page can name the one it comes from without a look into SQL."""

    _known: OrderedDict[int, str] = field(default_factory=OrderedDict)

    def note(self, *searches: Search) -> None:
        """Remember names."""
        for one in searches:
            self._known[one.id] = one.content.name
            self._known.move_to_end(one.id)
        while len(self._known) > _NAMES:
            self._known.popitem(last=False)

    def of(self, number: int) -> str:
        """Return a name, or what stands for it."""
        return self._known.get(number) or texts.UNKNOWN_NAME.format(number=number)

    def opened(self, state: State) -> Opened | None:
        """Return the saved search that a page was opened from."""
        return opened(state)

    def address(self, state: State) -> str:
        """Return the parameters under which a state is saved."""
        return saved_address(state)


@dataclass(frozen=True, slots=True)
class Room:
    """What the endpoints share."""

    frame: Frame
    saved: Saved
    names: Names

    def found(self, number: int, version: int | None = None) -> Search:
        """Return a search; `Refused` with 404 if there is none."""
        search = self.saved.get(number, version)
        if search is None:
            raise Refused(404, texts.NOT_FOUND.format(number=number))
        self.names.note(search)
        return search

    def gone(self, request: Request, error: Refused) -> Response:
        """Return the page of what is not there."""
        return self.frame.page(request, "saved/gone.html", view="search", status=error.status, what=str(error))

    def one(self, request: Request, number: int, *, status: int = 200, said: str = "", **given: Any) -> Response:
        """Return the page of a search; `given` is what was typed and not taken."""
        search = self.found(number)
        return self.frame.page(
            request,
            "saved/one.html",
            view="search",
            status=status,
            search=search,
            versions=self.saved.versions(number),
            typed=given or None,
            said=said,
            mine=may_change(request, search),
        )


def routes(frame: Frame, saved: Saved) -> APIRouter:
    """Return the pages; the search page offers to save from now on."""
    router = APIRouter(include_in_schema=False)
    room = Room(frame, saved, Names())
    frame.kept = lambda: [(one.content.name, f"/s/{one.id}") for one in saved.newest(_OFFERED)]
    frame.share(saving=room.names, saved_says=texts, shown_state=shown_state, opened_url=opened_url)
    _add_links(router, room)
    _add_lists(router, room)
    _add_changes(router, room)
    return router


def _add_lists(router: APIRouter, room: Room) -> None:
    frame, saved = room.frame, room.saved

    @router.get("/saved")
    def listed(request: Request) -> Response:
        """List the searches."""
        text = request.query_params.get("text", "").strip()
        found = saved.all(text)
        room.names.note(*found[:_NAMES])
        return frame.page(
            request, "saved/all.html", view="search", found=found, text=text, starters=starters(), me=_who(request)
        )

    @router.get("/saved/menu")
    def menu(request: Request) -> Response:
        """List the searches for the menu of the search page."""
        found = saved.all()
        room.names.note(*found[:_NAMES])
        more = len(found) - _MENU
        return frame.fragment(request, "saved/menu.html", found=found[:_MENU], more=more, starters=starters())

    @router.get("/saved/new")
    def begin(request: Request) -> Response:
        """Ask for the name of a new search."""
        state = read_state(request.query_params)
        comes_from = opened(state)
        old = saved.get(comes_from.id) if comes_from else None
        if old is not None and not may_change(request, old):
            old = None
        return _form(request, room, Content("", "", saved_address(state)), old=old)

    @router.get("/saved/{name}")
    def one(request: Request, name: str) -> Response:
        """Show a search and its versions."""
        try:
            return room.one(request, _number(name))
        except Refused as error:
            return room.gone(request, error)


def _add_changes(router: APIRouter, room: Room) -> None:
    saved = room.saved

    @router.post("/saved/new")
    async def add(request: Request) -> Response:
        """Keep a new search."""
        content = _content(await parameters(request))
        try:
            number = await run_in_threadpool(saved.add, content, _who(request))
        except DataError as error:
            return _form(request, room, content, status=400, said=str(error))
        return RedirectResponse(f"/s/{number}", _SEE_OTHER)

    @router.post("/saved/{name}")
    async def change(request: Request, name: str) -> Response:
        """Save a version; what was typed stays when it is not taken."""
        given, number = await parameters(request), _number(name)
        content, version = _content(given), _number(given.get("version", ""))
        await run_in_threadpool(_allow, request, room, number)
        who = _who(request)
        try:
            await run_in_threadpool(lambda: saved.change(number, content, who, version=version))
        except DataError as error:
            status = 409 if isinstance(error, ChangedMeanwhileError) else 400
            typed = {"said": str(error), "name": content.name, "about": content.about}
            return await run_in_threadpool(lambda: room.one(request, number, status=status, **typed))
        where = f"/s/{number}" if given.get("then") == "open" else f"/saved/{number}"
        return RedirectResponse(where, _SEE_OTHER)

    @router.post("/saved/{name}/delete")
    def delete(request: Request, name: str) -> Response:
        """Forget a search."""
        number = _number(name)
        _allow(request, room, number)
        saved.delete(number)
        return RedirectResponse("/saved", _SEE_OTHER)


def _add_links(router: APIRouter, room: Room) -> None:
    saved = room.saved

    @router.post("/saved/link")
    async def link(request: Request) -> Response:
        """Make a short link to an address."""
        address = state_of((await parameters(request)).get("address", "")).url("").removeprefix("?")
        key = await run_in_threadpool(saved.link, address, _who(request))
        return RedirectResponse(f"/explore/share?{urlencode({'short': key})}&{address}", _SEE_OTHER)

    @router.get("/s/{name}")
    def go(request: Request, name: str) -> Response:
        """Open a saved search or a short link."""
        if _LINK.fullmatch(name):
            address = saved.linked(name)
            if address is None:
                return room.gone(request, Refused(404, texts.NO_LINK.format(key=name)))
            return RedirectResponse(f"/?{address}" if address else "/", _SEE_OTHER)
        try:
            search = room.found(_number(name))
        except Refused as error:
            return room.gone(request, error)
        return RedirectResponse(opened_url(search.id, search.content.address), _SEE_OTHER)


def may_change(request: Request, search: Search) -> bool:
    """Tell whether who asks may change a search."""
    return search.owner == _who(request) or may(request, "admin")


def starters() -> list[tuple[str, str, str]]:
    """Return searches to begin with: name, description, parameters."""
    return [(name, about, urlencode(given)) for name, about, given in texts.STARTERS]


def shown_state(address: str) -> State:
    """Return the state of a saved address, an empty one where it cannot be read any more."""
    try:
        return state_of(address)
    except QueryError:
        return State()


def _form(
    request: Request, room: Room, content: Content, *, old: Search | None = None, status: int = 200, said: str = ""
) -> Response:
    most = {"name_chars": NAME_CHARS, "about_chars": ABOUT_CHARS}
    return room.frame.page(
        request, "saved/new.html", view="search", status=status, content=content, old=old, said=said, **most
    )


def _allow(request: Request, room: Room, number: int) -> None:
    search = room.found(number)
    if not may_change(request, search):
        raise Refused(403, texts.NOT_YOURS.format(owner=search.owner))


def _content(given: QueryParams) -> Content:
    address = saved_address(state_of(given.get("address", "")))
    about = given.get("about", "").replace("\r\n", "\n").strip()
    return Content(given.get("name", "").strip(), about, address)


def _who(request: Request) -> str:
    return principal(request).name


def _number(text: str) -> int:
    """Return the number of a search; 0, which no search has, for what is none."""
    return int(text) if re.fullmatch(r"\d{1,15}", text, re.ASCII) else 0
