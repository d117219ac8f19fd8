"""The login of the page: a token once, then a session in a cookie.

The cookie holds a token of its own that may what the other may and ends after some hours, or when the other one is
revoked. Scripts cannot read it, pages of other sites cannot have it sent, and with TLS it never travels without.
"""

from __future__ import annotations

# ruff: noqa: TC001, TC002 -- FastAPI reads the annotations of endpoints at run time
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tailrace.access.guard import Guard
from tailrace.access.model import Denied
from tailrace.access.tokens import SESSION_NS, Token, Tokens
from tailrace.clock import NS_PER_S
from tailrace.web.guarded import COOKIE, LOGIN, as_refused, peer_of, shown
from tailrace.web.parameters import whole_body
from tailrace.web.refusals import refuse

_OWN_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
"""A path of this server: a second slash would name another one, and so would a backslash to a browser."""

_NOT_KEPT: Final = {"Cache-Control": "no-store"}


def routes(guard: Guard, tokens: Tokens) -> APIRouter:
    """Return the login and the logout."""
    router = APIRouter(include_in_schema=False)
    folder = FileSystemLoader(Path(__file__).parent / "explorer" / "templates")
    page = Environment(loader=folder, autoescape=True).get_template("login.html")

    def form(status: int, where: str, said: str = "") -> Response:
        return HTMLResponse(page.render(next=where, said=said), status, _NOT_KEPT)

    @router.get(LOGIN)
    def login_page(request: Request) -> Response:
        """Show the form."""
        return form(200, own_path(request.query_params.get("next", "/")))

    @router.post(LOGIN)
    async def login(request: Request) -> Response:
        """Begin a session with a token."""
        given = parse_qs((await whole_body(request)).decode("utf-8", "replace"), max_num_fields=8)
        where = own_path(given.get("next", ["/"])[0])
        try:
            token = await run_in_threadpool(guard.verified, given.get("token", [""])[0].strip(), peer_of(request.scope))
        except Denied as error:
            if error.retry_after_s:
                return refuse(request, as_refused(error))
            return form(error.status, where, str(error))
        text = await run_in_threadpool(_begin, tokens, token)
        answer = RedirectResponse(where, 303, _NOT_KEPT)
        secure = request.url.scheme == "https"
        seconds = SESSION_NS // NS_PER_S
        answer.set_cookie(COOKIE, text, seconds, httponly=True, samesite="strict", secure=secure)
        return answer

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        """End the session of the cookie."""
        try:
            text, of_cookie = shown(Headers(scope=request.scope), open_here=guard.open)
            if text is not None and of_cookie:
                token = await run_in_threadpool(guard.verified, text, peer_of(request.scope))
                if token.parent:  # else it is no session, but a token that was put into a cookie
                    await run_in_threadpool(tokens.revoke, token.id)
                    guard.forget()
        except Denied:
            pass  # it had ended before
        answer = RedirectResponse(LOGIN, 303, _NOT_KEPT)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return router


def own_path(text: str) -> str:
    r"""Return a path of this server, the page for everything else.

    >>> own_path("/explore?q=%7B%7D"), own_path("//evil.example"), own_path("https://evil.example"), own_path("/\\evil")
    ('/explore?q=%7B%7D', '/', '/', '/')
    """
    return text if _OWN_PATH.fullmatch(text) else "/"


def _begin(tokens: Tokens, token: Token) -> str:
    return tokens.begin_session(token)[0]
