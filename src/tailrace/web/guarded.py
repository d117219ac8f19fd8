"""The door before the application: nothing gets behind it without a permission.

Comes in: every request and every websocket. Goes out: the same, with its `Principal` in `request.state`, to the
application of its tenant. Refuses, before a byte of the body is read: who shows no valid token (401; a browser is led
to the login), whose token may not (403), who guesses (429), bodies that come too slowly (408). A change is written to
the audit log before it is made.

A browser's session travels in a cookie that scripts cannot read and that other sites' pages cannot send; a request
that changes something with it must come from our own page all the same.

An answer that goes on, as a live tail does, goes on for as long as its token is valid.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse

from tailrace.access.credentials import token_of
from tailrace.access.model import ANONYMOUS, OPERATOR, Denied
from tailrace.access.tokens import looks_like_token
from tailrace.errors import TailraceError
from tailrace.web.origin import own_page
from tailrace.web.permissions import READS, permission
from tailrace.web.refusals import Refused, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tailrace.access.audit import Audit
    from tailrace.access.guard import Guard
    from tailrace.access.model import Principal
    from tailrace.telemetry import Accounts
    from tailrace.web.permissions import Permission
    from tailrace.web.tenants import TenantApps

COOKIE: Final = "tailrace_session"
LOGIN: Final = "/login"
TENANT_HEADER: Final = "x-scope-orgid"

BODY_WAIT_S: Final = 30.0
"""How long the next piece of a body may take: a network that is worse loses the connection anyway."""

BODY_S: Final = 600.0
"""How long a whole body may take: the largest push over a line of a megabit in a second."""

LOOK_S: Final = 1.0
"""Between two looks at the token of an answer that goes on; a look costs what the start of a request costs."""

_REFUSED: Final = "Requests that were turned away at the door, by status."


class Guarded:
    """Lets requests in that may come in."""

    def __init__(self, app: ASGIApp, guard: Guard, audit: Audit, tenants: TenantApps, accounts: Accounts) -> None:
        self._app, self._guard, self._audit, self._tenants = app, guard, audit, tenants
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        needed = permission(scope.get("method", "GET"), scope["path"])
        try:
            principal = await self._admitted(scope, needed)
            app = await self._app_of(principal, needed)
        except TailraceError as error:
            await self._refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        if needed.audited:
            await self._audited(principal, app, scope, receive, send)
            return
        with suppress(_EndedError):
            await app(
                scope,
                _in_time(receive) if scope["type"] == "http" else receive,
                send if needed.public else self._while_admitted(scope, needed, send),
            )

    def _while_admitted(self, scope: Scope, needed: Permission, send: Send) -> Send:
        """Return what sends until the token that was shown ends; what was begun with it is broken off then."""
        loop = asyncio.get_running_loop()
        looked_s, ended = loop.time(), False

        async def sending(message: Message) -> None:
            nonlocal looked_s, ended
            goes_on = message["type"] in {"http.response.body", "websocket.send"}
            if goes_on and not ended and loop.time() - looked_s >= LOOK_S:
                ended = not await self._still(scope, needed)
                looked_s = loop.time()
                if ended and scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008, "reason": "the token has ended"})
            if not ended:
                await send(message)
            elif scope["type"] == "http":
                raise _EndedError

        return sending

    async def _still(self, scope: Scope, needed: Permission) -> bool:
        try:
            await self._admitted(scope, needed)
        except Denied:
            return False
        return True

    async def _admitted(self, scope: Scope, needed: Permission) -> Principal:
        if needed.public:
            return ANONYMOUS
        headers, guard = Headers(scope=scope), self._guard
        token, of_cookie = shown(headers, open_here=guard.open)
        if of_cookie and scope.get("method", "GET") not in READS and not own_page(scope):
            raise Denied(403, "this did not come from a page of this server")
        tenant = one_header(headers, TENANT_HEADER) if guard.tenants else OPERATOR
        peer = peer_of(scope)
        try:
            if guard.believed(token):
                return guard.admit(token, needed.scope, peer, tenant)
            return await run_in_threadpool(guard.admit, token, needed.scope, peer, tenant)
        except Denied as error:
            if of_cookie and guard.open and error.status == 401:  # noqa: PLR2004  an old session, where none is needed
                return ANONYMOUS
            raise

    async def _app_of(self, principal: Principal, needed: Permission) -> ASGIApp:
        if not principal.confined or needed.public:
            return self._app
        if not needed.tenants:
            raise Denied(403, "this is of the whole server: a tenant may not use it")
        return await run_in_threadpool(self._tenants.of, principal.tenant)

    async def _audited(self, principal: Principal, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope["query_string"].decode("latin-1")
        what = f"{scope['method']} {scope['path']}" + (f"?{query}" if query else "")
        try:
            number = await run_in_threadpool(self._audit.begin, principal, peer_of(scope), what)
        except TailraceError as error:
            await self._refuse(error, scope, receive, send)
            return
        ended = False

        async def noted(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start" and not ended:
                ended = True
                with suppress(TailraceError):  # the change is made: that its end is not known stands in its entry
                    await run_in_threadpool(self._audit.end, number, message["status"])
            await send(message)

        await app(scope, _in_time(receive), noted)

    async def _refuse(self, error: TailraceError, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        if isinstance(error, Denied):
            self._accounts.count("tailrace_access_refused_total", _REFUSED, status=str(error.status))
            if _is_browser(scope, error):
                back = quote(scope["path"] + ("?" + scope["query_string"].decode("latin-1")).rstrip("?"), safe="")
                await RedirectResponse(f"{LOGIN}?next={back}", 303)(scope, receive, send)
                return
        answer = refuse(Request(scope) if scope["type"] == "http" else _asking(connection), as_refused(error))
        answer.headers["Connection"] = "close"  # the body was not read
        if scope["type"] == "websocket":
            await _deny(answer.status_code, bytes(answer.body), answer.raw_headers, scope, receive, send)
        else:
            await answer(scope, receive, send)


class _EndedError(OSError):
    """A token ended while an answer went on; to the application it is as though the client had gone."""


def shown(headers: Headers, *, open_here: bool) -> tuple[str | None, bool]:
    """Return the token that a request shows, if any, and whether a cookie brought it.

    Where no token is needed, `Authorization` that holds none is left alone: proxies pass on what was shown to them.
    """
    authorization = one_header(headers, "authorization")
    if authorization:
        try:
            token = token_of(authorization)
        except Denied:
            if open_here:
                return None, False
            raise
        return (None if open_here and not looks_like_token(token) else token), False
    try:
        morsel = SimpleCookie(one_header(headers, "cookie")).get(COOKIE)
    except CookieError:
        return None, False
    return (morsel.value, True) if morsel is not None and morsel.value else (None, False)


def one_header(headers: Headers, name: str) -> str:
    """Return a header that may be there once; of two, proxies and we might each believe another one."""
    found = headers.getlist(name)
    if len(found) > 1 and name != "cookie":
        raise Refused(400, f"the header {name} is there more than once")
    return "; ".join(found)


def peer_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def as_refused(error: TailraceError) -> TailraceError:
    """Return a denial as HTTP says it."""
    if not isinstance(error, Denied):
        return error
    headers: dict[str, str] = {}
    if error.status == 401:  # noqa: PLR2004  the status that asks for a token
        headers["WWW-Authenticate"] = 'Bearer realm="tailrace"'
    if error.retry_after_s:
        headers["Retry-After"] = str(error.retry_after_s)
    return Refused(error.status, str(error), headers)


def _in_time(receive: Receive) -> Receive:
    """Return what waits for the body for a bounded time, and for the client's going away for ever."""
    whole, until_s = False, asyncio.get_running_loop().time() + BODY_S

    async def within() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        now_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(now_s + BODY_WAIT_S, until_s)):
                message = await receive()
        except TimeoutError:
            raise Refused(408, "the body did not come in time", {"Connection": "close"}) from None
        whole = not message.get("more_body", False)
        return message

    return within


def _is_browser(scope: Scope, error: Denied) -> bool:
    reading = scope["type"] == "http" and scope["method"] in READS
    return reading and error.status == 401 and "text/html" in Headers(scope=scope).get("accept", "")  # noqa: PLR2004


def _asking(connection: HTTPConnection) -> Request:
    return Request({**connection.scope, "type": "http", "method": "GET"})


async def _deny(
    status: int, body: bytes, headers: list[tuple[bytes, bytes]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer a websocket that is not let in; with a status where the server can, else by closing it."""
    await receive()  # its `connect`
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": 1008})
