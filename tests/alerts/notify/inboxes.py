"""Receivers on loopback that keep what they are sent, answer as a test says, and can be away for a while."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    import ssl
    from email.message import EmailMessage

    from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Posted:
    """One request that was answered 2xx."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What a web inbox says instead of 200."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class WebInbox:
    """A web server that takes what is posted; `answers` are given first, one a request."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[Posted] = []
        self.tried = 0
        self.answers: deque[Answer] = deque()
        self.port = 0
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def open(self) -> WebInbox:
        """Begin to listen: on the same port whenever it is done."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def close(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler(inbox: WebInbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            inbox.tried += 1
            answer = inbox.answers.popleft() if inbox.answers else Answer(200)
            if answer.status < 300:
                headers = {name.lower(): value for name, value in self.headers.items()}
                inbox.got.append(Posted(self.path, headers, body))
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # who asked may have heard enough
                self.wfile.write(answer.body.encode())

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@dataclass(frozen=True)
class Mail:
    """One message that was taken."""

    sender: str
    to: tuple[str, ...]
    message: EmailMessage


class MailInbox:
    """A mail server that takes what it is sent; `refuse` says what it answers to an address instead."""

    def __init__(self, **how: Any) -> None:
        self.got: list[Mail] = []
        self.refuse: dict[str, str] = {}
        self.refuse_data = ""
        self.port = 0
        self._how = how
        self._controller: Controller | None = None

    async def handle_RCPT(  # noqa: N802  aiosmtpd finds it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  as above
        if self.refuse_data:
            return self.refuse_data
        data = envelope.content
        assert isinstance(data, bytes)
        message = message_from_bytes(data.replace(b"\r\n", b"\n"), policy=policy.default)
        self.got.append(Mail(str(envelope.mail_from), tuple(envelope.rcpt_tos), message))
        return "250 OK"

    def open(self) -> MailInbox:
        """Begin to listen: on the same port whenever it is done."""
        self._controller = _Loopback(self, "127.0.0.1", self.port, **self._how)
        self._controller.start()
        self.port = self._controller.port
        return self

    def close(self) -> None:
        """Be away."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


class _Loopback(Controller):
    """A controller that may take any free port: it calls itself there to find out whether it runs."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()
