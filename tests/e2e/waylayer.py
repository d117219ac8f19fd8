"""A network that does what a test says to single batches: it keeps one back, brings it late, or to another server.

Each request is read as a whole and then brought to the server that is `current`. One that `holds` names stays
here, and its sender hears nothing, until `release`; what was kept can be delivered at any time, to any server,
as often as a test likes, whether its sender still lives or not.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tailrace.shipment import Heading

ANSWER_S = 60.0


@dataclass(frozen=True)
class Letter:
    """A batch on its way, and who sent it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def heading(self) -> Heading:
        return Heading.read({name.lower(): value for name, value in self.headers.items()})


@dataclass
class Waylayer:
    """One address before several servers."""

    servers: list[str]  # as host:port
    current: int = 0
    address: str = ""
    holds: Callable[[Heading], bool] = lambda _: False
    held: list[Letter] = field(default_factory=list)
    passed: list[tuple[Letter, int]] = field(default_factory=list)  # with the status of the answer
    lock: threading.Lock = field(default_factory=threading.Lock)
    gate: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Hold nothing any more, and let what is held go its way."""
        self.holds = lambda _: False
        self.gate.set()

    def deliver(self, letter: Letter, server: int) -> int:
        """Bring a batch to a server; return the status of the answer."""
        status, _ = self.ask("POST", letter.path, letter.headers, letter.body, server)
        return status

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes, server: int) -> tuple[int, bytes]:
        link = http.client.HTTPConnection(self.servers[server], timeout=ANSWER_S)
        try:
            link.request(method, path, body, {name: value for name, value in headers.items() if name != "Host"})
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()


@contextmanager
def waylaying(way: Waylayer) -> Iterator[Waylayer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(*way.ask("GET", self.path, {}, b"", way.current))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            letter = Letter(self.path, dict(self.headers.items()), body)
            with way.lock:
                held = way.holds(letter.heading)
                if held:
                    way.held.append(letter)
            if held:
                way.gate.wait(ANSWER_S)
            status, said = way.ask("POST", self.path, letter.headers, body, way.current)
            with way.lock:
                way.passed.append((letter, status))
            self.answer(status, said)

        def answer(self, status: int, said: bytes) -> None:
            with suppress(OSError):  # who asked may be dead
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a sender that is killed is no failure of the test
            pass

    server = Server(("127.0.0.1", 0), Handler)
    way.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield way
    finally:
        way.release()
        server.shutdown()
        server.server_close()
        thread.join(10)
