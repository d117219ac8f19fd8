"""Post to a service over HTTP, and tell by its answer whether it has the message, may have it later, or never will.

Comes in: settings of the connection, an address, a body. Raises `TransientError` for what may pass (no connection, 408,
425, 429, 5xx; `BusyError` where the answer says how long), `Refused` for every other answer that is not 2xx. Redirects
are not followed: a POST would become a GET. No message has more of the address in it than the host.
"""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx

from tailrace.access.client_tls import client_context
from tailrace.access.outbound import ForbiddenError
from tailrace.alerts.notify.channels.cut import Cut
from tailrace.alerts.notify.channels.pinned import transport
from tailrace.alerts.notify.model import BusyError, Refused
from tailrace.alerts.notify.ways import HttpSettings
from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError
from tailrace.patience import asked_s
from tailrace.secret import MASK, SecretUrl, hide, secret_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from tailrace.access.outbound import Outbound
    from tailrace.alerts.notify.ways import Connection
    from tailrace.clock import Clock

_BUSY: Final = (408, 425, 429)
_SAID_BYTES: Final = 16_384  # of an answer that are read: it is only shown
_SAID_CHARS: Final = 200
_WAIT_MAX_S: Final = 3_600.0  # of what a receiver may ask for


class Service:
    """Speaks to services in one way."""

    def __init__(self, settings: Connection, clock: Clock, outbound: Outbound | None = None) -> None:
        """`outbound` says where it may call; None: anywhere."""
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log each address, secrets included
        self._settings = settings
        self._clock = clock
        self._outbound = outbound
        self._trust: ssl.SSLContext | None = None

    def post(self, url: str, body: bytes, headers: Mapping[str, str], hidden: Sequence[str] = ()) -> None:
        """Post JSON and return when it is taken; `hidden` are secrets that an answer might repeat."""
        secrets = list(hidden)
        sent = {"Content-Type": "application/json", "User-Agent": "tailrace", **headers, **self._signed(secrets)}
        where = SecretUrl(url).shown().removesuffix(MASK) or "the address"
        auth = self._auth(secrets) or httpx.USE_CLIENT_DEFAULT  # which takes user and password of the address
        timeout_s = self._settings.timeout_s
        cut = Cut(timeout_s)
        how: dict[str, Any] = {"headers": sent, "auth": auth, "extensions": {"trace": partial(_watch, cut)}}  # keywords
        try:
            with cut, self._open(url) as client, client.stream("POST", url, content=body, **how) as answer:
                said = b"" if answer.is_success else _said(answer)
        except ForbiddenError as error:
            raise Refused(f"{where}: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            self._trust = None  # certificates that were replaced are read
            why = hide(str(error), secrets) or type(error).__name__
            slow = cut.over or isinstance(error, httpx.TimeoutException)
            plain = f"no answer within {timeout_s:g} s: " if slow else _plain(error)
            raise TransientError(f"{where}: {plain}{why}") from None
        if not answer.is_success:
            raise self._failed(where, answer, hide(said.decode("utf-8", "replace"), secrets))

    def _signed(self, secrets: list[str]) -> dict[str, str]:
        """Return the headers that are asked for, with the token; notes what is secret."""
        settings = self._settings
        if not isinstance(settings, HttpSettings):
            return {}
        headers = {name: value.reveal() for name, value in settings.headers.items()}
        secrets += headers.values()
        if token := secret_of(settings.bearer_token, settings.bearer_token_file):
            secrets.append(token)
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _auth(self, secrets: list[str]) -> httpx.BasicAuth | None:
        """Return user and password; notes what is secret."""
        basic = self._settings.basic_auth if isinstance(self._settings, HttpSettings) else None
        if basic is None:
            return None
        password = secret_of(basic.password, basic.password_file) or ""
        secrets.append(password)
        return httpx.BasicAuth(basic.username, password)

    def _open(self, url: str) -> httpx.Client:
        """Return a client for one message: minutes go by between two, and a kept connection would be stale."""
        settings = self._settings
        if self._trust is None:
            self._trust = client_context(settings.tls, needed=url.startswith("https:") or settings.proxy is not None)
        proxy = settings.proxy.reveal() if settings.proxy else None
        if self._outbound is not None:
            through = transport(self._outbound, self._trust, proxy)
            return httpx.Client(transport=through, timeout=settings.timeout_s, trust_env=False)
        return httpx.Client(verify=self._trust, timeout=settings.timeout_s, proxy=proxy, trust_env=False)

    def _failed(self, where: str, answer: httpx.Response, said: str) -> Refused | TransientError:
        status, said = answer.status_code, " ".join(said.split())[:_SAID_CHARS]
        text = f"{where}: answered {status}" + (f": {said}" if said else "")
        if status in _BUSY or answer.is_server_error:
            after_s = asked_s(answer.headers.get("Retry-After", ""), self._clock.now_ns() / NS_PER_S)
            return TransientError(text) if after_s is None else BusyError(text, min(after_s, _WAIT_MAX_S))
        if answer.is_redirect:
            return Refused(f"{text} (it has moved: give the address that it has now)")
        return Refused(text)


def _watch(cut: Cut, event: str, about: Mapping[str, Any]) -> None:  # Any: of the client, by the kind of event
    if event == "connection.connect_tcp.complete":
        cut.watch(about["return_value"].get_extra_info("socket"))


def _said(answer: httpx.Response) -> bytes:
    """Return the begin of what was said; the status is known, so that this may fail."""
    with contextlib.suppress(httpx.HTTPError):
        return next(answer.iter_bytes(_SAID_BYTES), b"")
    return b""


def _plain(error: Exception) -> str:
    """Return in plain words what kind of failure it was."""
    return "no connection: " if isinstance(error, httpx.ConnectError | OSError) else ""
