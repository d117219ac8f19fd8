"""Files: `/files` and the pages below it, rows for unfolding the tree, condensing, and checks of a baseline.

A page reads the state from the address, fills its part in a thread, and renders one template. Everything works without
script; the script unfolds folders in place and moves by keys.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from markupsafe import Markup
from polars.exceptions import PolarsError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from tailrace import limits
from tailrace.drift.baseline import unpacked
from tailrace.errors import ConfigError, TailraceError
from tailrace.twin import tree
from tailrace.twin.condense import condense
from tailrace.twin.reading import Twin
from tailrace.web.explorer import amounts
from tailrace.web.explorer.files import acts, drifted, folder, place
from tailrace.web.explorer.files.look import PARTS, Seen, base, look, part
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.marks import line_html
from tailrace.web.explorer.texts import files as texts
from tailrace.web.files_questions import Given
from tailrace.web.refusals import Refused
from tailrace.web.times import iso
from tailrace.web.work import Work

LEVELS_MOST: Final = 12
"""Levels of the tree that are told apart by how far they stand in."""

_BREAKS: Final = re.compile(r"([\n\t])")
_CONDENSE_TIMEOUT_S: Final = 600.0


def routes(frame: Frame, twin: Twin, work: Work) -> APIRouter:
    """Return the pages of files."""
    router = APIRouter(include_in_schema=False)
    folders = folder.Folders()
    _share(frame)
    for tab in PARTS:
        path = "/files" if tab == place.TABS[0] else f"/files/{tab}"
        router.add_api_route(path, _page_of(tab, frame, twin, work, folders), methods=["GET"])
    _add_rows(router, frame, twin, work, folders)
    _add_changes(router, frame, twin, work, folders)
    return router


def _page_of(
    tab: str, frame: Frame, twin: Twin, work: Work, folders: folder.Folders
) -> Callable[[Request], Awaitable[Response]]:
    async def show(request: Request) -> Response:
        wanted = place.read(request.query_params, tab)
        return _page(frame, request, await _looked(request, wanted, twin, work, folders))

    return show


async def _looked(request: Request, wanted: place.Place, twin: Twin, work: Work, folders: folder.Folders) -> Seen:
    try:
        return await work.run(request, partial(look, wanted, twin, folders))
    except TimeoutError:
        return Seen(wanted, Given({}, (), twin.clock.now_ns()), twin, folders, failed={wanted.tab: texts.TOO_LONG})


def _page(frame: Frame, request: Request, seen: Seen) -> Response:
    status = 400 if seen.error else 200
    return frame.page(request, f"files/{seen.place.tab}.html", view="files", status=status, seen=seen, place=seen.place)


def _add_rows(router: APIRouter, frame: Frame, twin: Twin, work: Work, folders: folder.Folders) -> None:
    @router.get("/files/rows")
    async def rows(request: Request) -> Response:
        """Send the entries of a folder, to be put below it in the tree."""
        seen = await work.run(request, partial(look, place.read(request.query_params, "tree"), twin, folders))
        if seen.error:
            raise seen.error
        text = request.query_params.get("level", "")
        level = min(int(text), LEVELS_MOST) if text.isascii() and text.isdigit() and len(text) < 3 else 1  # noqa: PLR2004
        return frame.fragment(request, "files/rows.html", seen=seen, place=seen.place, level=level)


def _add_changes(router: APIRouter, frame: Frame, twin: Twin, work: Work, folders: folder.Folders) -> None:
    @router.post("/files/condense")
    async def condensed(request: Request) -> Response:
        """Fold the records of every path into one, and show the health after that."""
        await request.body()
        await work.run(request, lambda: condense(twin.files), _CONDENSE_TIMEOUT_S)
        return RedirectResponse("/files/health", 303)

    @router.post("/files/drift")
    async def check(request: Request) -> Response:
        """Compare the present state with a baseline that is sent along; it is not kept."""
        name, data, words, key = await _sent(request)

        def compared() -> Seen:
            seen = base(place.Place(words, "drift"), twin, folders)
            seen.baseline = name
            if not seen.error:
                part(seen, lambda seen: _checked(seen, data, key))
            return seen

        return _page(frame, request, await work.run(request, compared))


async def _sent(request: Request) -> tuple[str, bytes, dict[str, str], bytes | None]:
    """Return what a form brings: the name and the content of a baseline, the state of the page, and a key."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > limits.BASELINE_BYTES:
        raise Refused(413, texts.TOO_LARGE.format(most=limits.BASELINE_BYTES))
    async with request.form(max_files=1, max_fields=20, max_part_size=limits.FORM_BYTES) as form:
        sent = form.get("baseline")
        words = {name: value for name, value in form.items() if isinstance(value, str) and name in ("host", "path")}
        key = str(form.get("key") or "").strip().encode() or None
        if not isinstance(sent, UploadFile):
            return "", b"", words, key
        return sent.filename or "", await sent.read(), words, key


def _checked(seen: Seen, data: bytes, key: bytes | None) -> None:
    """Fill what differs from a baseline."""
    if not data:
        raise TailraceError(texts.NO_FILE)
    try:
        baseline = unpacked(data, key, seen.baseline, limits.BASELINE_VALUES)
    except ConfigError as error:
        raise TailraceError(f"{error.problems[0].what}: {error.problems[0].hint}") from None
    host = seen.host or baseline.about.host
    if host not in seen.hosts:
        raise TailraceError(texts.NO_BASELINE_HOST.format(host=host))
    seen.host = host
    try:
        now = drifted.files(seen.here, host, [tree.slashed_text(root) for root in baseline.about.roots])
        seen.drift = drifted.page(drifted.from_baseline(baseline, now), 1)
    except PolarsError as error:  # columns of another kind, in a file that nobody signed
        raise TailraceError(texts.NO_BASELINE.format(why=str(error).partition("\n")[0])) from None


def _share(frame: Frame) -> None:
    """Give the templates of this room what they call."""
    frame.share(
        files_says=texts,
        size_text=amounts.size_text,
        change_text=amounts.change_text,
        change_count=amounts.change_count,
        age_text=amounts.age_text,
        age_class=amounts.age_class,
        searched=searched,
        name_html=name_html,
        name_text=name_text,
        files_tabs=list(PARTS),
    )


def searched(host: str, path: str, start_ns: int, end_ns: int, *, alone: bool = False, action: str = "") -> str:
    """Return the address of the search for the events of a path in a span of time."""
    words = {"q": acts.query(host, path, alone=alone, action=action), "from": iso(start_ns), "to": iso(end_ns)}
    return f"/?{urlencode(words, errors='replace')}"


def name_html(name: str) -> Markup:
    """Return a name or a path as safe markup: as lines are shown, and with line breaks and tabs visible."""
    parts = _BREAKS.split(name)
    seen = Markup('<span class="ctl">^{}</span>')
    return Markup("").join(
        seen.format(chr(ord(part) ^ 0x40)) if part in "\n\t" else line_html(part) for part in parts if part
    )


def name_text(name: str) -> str:
    """Return a name as plain text in which hidden characters are named, for places that take no markup."""
    return name_html(name).striptags()
