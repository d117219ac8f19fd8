"""A server that does what a test says: it keeps batches as a table would, or answers something else first."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tailrace.batch import life
from tailrace.limits import MIB
from tailrace.shipment import Heading, unpack

LOST = -1  # in place of a status: the batch is kept, and the connection ends without an answer
CUT = -2  # the connection ends, and nothing is kept


@dataclass(frozen=True)
class Said:
    """One answer out of turn."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    error: str = "as the test says"


@dataclass
class Rows:
    """What several servers share: the last number of each agent, and the lines in the order of their commits."""

    held: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, heading: Heading, body: bytes) -> tuple[int, dict[str, object]]:
        with self.lock:
            held = self.held.get(heading.agent, -1)
            known = heading.number <= held and life(heading.number) == life(held)
            if not known and held != heading.after:
                return 409, {"held": held, "error": "out of turn"}
            if not known:
                self.held[heading.agent] = heading.number
                self.lines += unpack(body, 256 * MIB)["_line"].to_list() if body else []
            return 200, {"held": self.held[heading.agent]}


@dataclass
class FakeServer:
    """One address; `script` is said before anything is taken, one entry a request with a batch."""

    rows: Rows = field(default_factory=Rows)
    script: deque[Said | None] = field(default_factory=deque)
    asked: list[dict[str, str]] = field(default_factory=list)  # headers of all requests
    address: str = ""
    before: Callable[[Heading], None] = lambda _: None

    def next(self) -> Said | None:
        with self.rows.lock:
            return self.script.popleft() if self.script else None


@contextmanager
def serving(fake: FakeServer, tls: ssl.SSLContext | None = None) -> Iterator[FakeServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            fake.asked.append(dict(self.headers.items()))
            self.answer(200, {"held": fake.rows.held.get(self.path.rpartition("/")[2])})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            fake.asked.append(dict(self.headers.items()))
            heading = Heading.read({name.lower(): value for name, value in self.headers.items()})
            fake.before(heading)
            said = fake.next()
            if said is not None and said.status == LOST:
                fake.rows.take(heading, body)
            if said is None:
                self.answer(*fake.rows.take(heading, body))
            elif said.status > 0:
                self.answer(said.status, {"error": said.error}, said.headers)
            else:
                self.close_connection = True

        def answer(self, status: int, said: dict[str, object], headers: dict[str, str] | None = None) -> None:
            data = json.dumps(said).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that goes away is no failure of the test
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    fake.address = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
