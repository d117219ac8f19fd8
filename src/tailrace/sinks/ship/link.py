"""One connection to one server: a request goes out, an answer comes back, or nobody knows.

Comes in: a method, a path, headers and a body. Goes out: an `Answer`. Raises `TransientError` when there is none: the
server cannot be reached, is too slow, or the connection broke; whether it has the batch is then unknown. The token is
never part of an error's text. Not thread-safe; a connection is kept open from one request to the next.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tailrace import __version__
from tailrace.access.client_tls import client_context
from tailrace.errors import ConfigError, Problem, TransientError
from tailrace.patience import asked_s, date_s
from tailrace.secret import secret_of

if TYPE_CHECKING:
    import ssl

    from tailrace.access.client_tls import ClientTls
    from tailrace.sinks.ship.settings import ShipSettings

ANSWER_BYTES: Final = 64 * 1024
"""Longest answer that is read."""

CONNECT_S: Final = 10.0
"""How long a server may take to take up a connection."""

RETRY_AFTER_S: Final = 300.0
"""Longest wait that a server is believed to mean."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: the status, the last number that it holds (if it says so), when to come back, and why."""

    status: int
    held: int | None = None
    retry_after_s: float = 0.0
    why: str = ""


def trusted(tls: ClientTls) -> ssl.SSLContext:
    """Return how servers are believed and what is shown to them; `ConfigError` if a file cannot be used."""
    try:
        return client_context(tls)
    except TransientError as error:
        raise ConfigError([Problem("$.sinks.tls", str(error), "PEM files")]) from None


class Link:
    """A connection to one server, made when it is first used."""

    def __init__(self, server: str, settings: ShipSettings, context: ssl.SSLContext | None) -> None:
        self.server = server
        parts = urlsplit(server)
        self._host, self._port, self._base = parts.hostname or "", parts.port, parts.path
        self._tls = context if parts.scheme == "https" else None
        self._settings = settings
        self._open: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send a request and return the answer; `TransientError` if there is none."""
        for attempt in (1, 2):
            fresh = self._open is None
            try:
                return self._ask(method, path, headers or {}, body)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
                self.close()
                if fresh or attempt == 2:  # noqa: PLR2004  a kept connection that was closed meanwhile is no failure
                    raise self._failed(error) from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                raise self._failed(error) from None
        raise AssertionError

    def close(self) -> None:
        """Give the connection up."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = self._open = self._open or self._connect()
        connection.request(method, self._base + path, body or None, self._common() | headers)
        response = connection.getresponse()
        data = response.read(ANSWER_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        return _answer(response, data)

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            made = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S)
        else:
            made = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_S, context=self._tls)
        made.connect()
        made.sock.settimeout(self._settings.timeout_s)
        return made

    def _common(self) -> dict[str, str]:
        token = secret_of(self._settings.token, self._settings.token_file)
        named = {"Accept": "application/json", "User-Agent": f"tailrace/{__version__}"}
        return named if token is None else named | {"Authorization": f"Bearer {token}"}

    def _failed(self, error: Exception) -> TransientError:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return TransientError(f"{self.server}: {why}")


def _answer(response: http.client.HTTPResponse, data: bytes) -> Answer:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = data.decode(errors="replace")
    said = found if isinstance(found, dict) else {"error": found}
    held, why = said.get("held"), said.get("error")
    text = why if isinstance(why, str) else response.reason
    return Answer(
        response.status,
        held if isinstance(held, int) and not isinstance(held, bool) else None,
        _seconds(response.getheader("Retry-After"), response.getheader("Date")),
        " ".join(str(text).split())[:500],
    )


def _seconds(text: str | None, now: str | None) -> float:
    """Return the seconds of a `Retry-After`, of which a date counts from that of the answer; zero if it has none."""
    return min(asked_s(text or "", date_s(now or "")) or 0.0, RETRY_AFTER_S)
