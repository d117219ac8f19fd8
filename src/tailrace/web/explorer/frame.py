"""The frame of every view: head, navigation, theme, and the templates; views put their parts into it.

Comes in: a request, the name of a template, and what it shows. Goes out: a page that is never kept by a browser, or a
fragment of one for the script. The theme is no part of what is shown, so it lies in a cookie and not in the address;
`theme=` in an address overrules it.
"""

from __future__ import annotations

# ruff: noqa: TC002, TC003 -- FastAPI reads the annotations of endpoints at run time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tailrace import __version__
from tailrace.access.model import ANONYMOUS, Principal, Scope
from tailrace.web.explorer import texts
from tailrace.web.explorer.assets import assets
from tailrace.web.explorer.marks import OPENED_CHARS, line_html
from tailrace.web.explorer.shapes.curves import number_text
from tailrace.web.explorer.texts import common
from tailrace.web.explorer.times import clock_text, day_text, ticks
from tailrace.web.guarded import COOKIE
from tailrace.web.login import own_path
from tailrace.web.refusals import Refused
from tailrace.web.times import iso

THEME_COOKIE: Final = "tailrace_theme"
_THEMES: Final = ("light", "dark")
_YEAR_S: Final = 365 * 86_400
_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class View:
    """A place of the navigation; `key` goes there after `g`. Tenants see those that show rows, which are theirs."""

    name: str
    path: str
    key: str
    tenants: bool = False

    @property
    def title(self) -> str:
        """Return the name that people read."""
        return common.NAV[self.name]


NAV: Final = (
    View("search", "/", "s", tenants=True),
    View("metrics", "/metrics-from-logs", "m"),
    View("dashboard", "/dashboard", "d"),
    View("files", "/files", "f"),
    View("alerts", "/alerts", "a"),
    View("pipeline", "/pipeline", "p"),
    View("status", "/status", "t"),
)


class Frame:
    """Renders pages; one for each application.

    `firing` tells how many alerts fire, `kept` names and addresses of some saved searches; who knows sets them.
    """

    def __init__(self, host: str) -> None:
        self.assets = assets()
        self.firing: Callable[[], int] = lambda: 0
        self.kept: Callable[[], list[tuple[str, str]]] = list
        self._host = host
        self._pages = Environment(
            loader=FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        self._pages.filters.update(day=day_text, clock=clock_text, count=lambda number: f"{number:,}")
        self._pages.globals.update(
            asset=lambda name: self.assets[name].url,
            texts=texts,
            common=common,
            host=host,
            version=__version__,
            line_html=line_html,
            opened=OPENED_CHARS,
            iso=iso,
            clock=clock_text,
            day=day_text,
            ticks=ticks,
            number=number_text,
        )

    def share(self, **names: object) -> None:
        """Make functions and values known to all templates; rooms do it once, for their own.

        A name that says something else already is a mistake: the templates of the other room would change.
        """
        for name, value in names.items():
            if self._pages.globals.setdefault(name, value) is not value:
                raise ValueError(f"templates know another {name!r}")

    def page(
        self,
        request: Request,
        template: str,
        *,
        view: str,
        status: int = 200,
        **parts: Any,  # Any: whatever the template of the room takes
    ) -> HTMLResponse:
        """Return a whole page; `view` is the place in the navigation."""
        who = principal(request)
        shown = [one for one in NAV if one.tenants or not who.confined]
        html = self._pages.get_template(template).render(
            nav=shown,
            here=view,
            theme=theme(request),
            back=_address(request),
            firing=0 if who.confined else self.firing(),
            logged_in=COOKIE in request.cookies,
            may_change=may(request, "admin"),
            **parts,
        )
        return HTMLResponse(html, status, {"Cache-Control": "no-store"})

    def html(self, template: str, **parts: Any) -> str:  # Any: as above
        """Return a piece of a page as text: for events, and for pieces of pieces."""
        return self._pages.get_template(template).render(**parts)

    def fragment(self, request: Request, template: str, *, status: int = 200, **parts: Any) -> HTMLResponse:
        """Return a piece of a page for the script: the same template that the whole page includes."""
        html = self.html(template, may_change=may(request, "admin"), **parts)
        return HTMLResponse(html, status, {"Cache-Control": "no-store"})


def routes(frame: Frame) -> APIRouter:
    """Return the page's own files, and the switch of the theme."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    def static(request: Request, name: str) -> Response:
        """Serve one of the page's own files."""
        found = frame.assets.get(name)
        if found is None:
            raise Refused(404, "there is no such file")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.body, media_type=found.kind, headers=headers)
        return Response(found.packed, media_type=found.kind, headers={**headers, "Content-Encoding": "gzip"})

    @router.get("/theme")
    def switch(request: Request) -> Response:
        """Keep a choice of theme, and go back to where it was made."""
        answer = RedirectResponse(own_path(request.query_params.get("next", "/")), 303, {"Cache-Control": "no-store"})
        chosen = request.query_params.get("to", "")
        if chosen in _THEMES:
            answer.set_cookie(THEME_COOKIE, chosen, _YEAR_S, httponly=True, samesite="strict")
        else:
            answer.delete_cookie(THEME_COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def theme(request: Request) -> str:
    """Return `light`, `dark`, or an empty text for what the system prefers."""
    chosen = request.query_params.get("theme") or request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in _THEMES else ""


def principal(request: Request) -> Principal:
    """Return who asks."""
    found = getattr(request.state, "principal", ANONYMOUS)
    assert isinstance(found, Principal), "the door puts nothing else there"
    return found


def may(request: Request, scope: Scope) -> bool:
    """Tell whether who asks may do something; views show what it takes to those who may not."""
    return scope in principal(request).scopes


def wants_page(request: Request) -> bool:
    """Tell whether a browser asks for a page; programs get the data that the same address has for them."""
    return "text/html" in request.headers.get("accept", "")


def _address(request: Request) -> str:
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")
