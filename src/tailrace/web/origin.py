"""Keeps other people's web pages out of a server that listens on this machine only.

A browser carries any page's requests to `127.0.0.1`. Two tricks are refused: a name that the page's owner points
here (DNS rebinding: the connection is to loopback, but `Host` is a foreign name), and a request that changes something
and comes from a page of another origin (`Sec-Fetch-Site` or, from older browsers, `Origin`, which pages cannot forge).
Another port of the same machine is another origin. Programs send neither. A websocket, to which
browsers apply no rule of their own, is refused to a page of another origin altogether. Nor may another page have what
we answer as a part of itself: it could not read it, but a picture whose address is a back-test costs what one costs.
Links to us work from everywhere.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose

from tailrace.web.headers import HEADERS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class OwnPagesOnly:
    """Refuses the requests of foreign pages."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._host = host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        why = self._refusal(scope) if scope["type"] in {"http", "websocket"} else ""
        if why and scope["type"] == "websocket":
            await WebSocketClose(reason=why)(scope, receive, send)
        elif why:
            await PlainTextResponse(why, 403, HEADERS)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        headers = Headers(scope=scope)
        if scope.get("method") not in {None, "GET", "HEAD"} and not own_page(scope):
            return "a page of another site may not send this"
        if scope["type"] == "http" and _embedded(headers):
            return "a page of another site may link to this, and not have it as a part of itself"
        origin = headers.get("origin", "")
        if scope["type"] == "websocket" and origin and origin.partition("://")[2] != headers.get("host"):
            return "a page of another site may not follow this"
        name = _name(headers.get("host", ""))
        here: str = (scope.get("server") or ("", 0))[0]
        if _is_loopback(here) and not self._known(name):
            return f"this server is for this machine; open it as http://{here} and not as {name[:100]}"
        return ""

    def _known(self, name: str) -> bool:
        return name == self._host or names_here(name)


def names_here(host: str) -> bool:
    """Tell whether a host header is an address or a name of this machine that nobody can turn here from elsewhere.

    >>> names_here("127.0.0.1:9114"), names_here("localhost:9114"), names_here("evil.example:9114")
    (True, True, False)
    """
    name = _name(host)
    return name in {"", "localhost"} or name.endswith(".localhost") or _is_address(name)


def own_page(scope: Scope) -> bool:
    """Tell whether a request comes from a page of ours, or from no page at all."""
    headers = Headers(scope=scope)
    site, origin = headers.get("sec-fetch-site"), headers.get("origin", "")
    if site is not None:
        return site in {"same-origin", "none"}
    return not origin or origin.partition("://")[2] == headers.get("host")


def _embedded(headers: Headers) -> bool:
    """Tell whether another page asks for something itself, and nobody follows a link."""
    mode, kind = headers.get("sec-fetch-mode", "navigate"), headers.get("sec-fetch-dest", "document")
    return headers.get("sec-fetch-site") in {"cross-site", "same-site"} and (mode, kind) != ("navigate", "document")


def _name(host: str) -> str:
    """Return a host header without its port.

    >>> _name("[::1]:9080"), _name("Web:80"), _name("127.0.0.1")
    ('::1', 'web', '127.0.0.1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()


def _is_loopback(text: str) -> bool:
    return _is_address(text) and ip_address(text).is_loopback


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
