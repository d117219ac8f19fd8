"""An S3 server that has a bad day: a proxy before a real one that answers as the test says, before or after the deed."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ANSWERS = {
    500: "InternalError",
    503: "SlowDown",
    412: "PreconditionFailed",
}
RESET = -1  # in place of a status: the connection ends without an answer
_KEPT = ("content-type", "etag", "last-modified", "content-range", "accept-ranges")


@dataclass(frozen=True)
class Trouble:
    """What happens to one request."""

    status: int
    done: bool = False  # whether the server did what it was asked
    then: Callable[[], None] = lambda: None  # before the answer


@dataclass
class BadDay:
    """`trouble` is asked for each request: method and path with query."""

    behind: str  # endpoint of the real server
    trouble: Callable[[str, str], Trouble | None] = lambda *_: None
    endpoint: str = ""
    seen: Counter[int] = field(default_factory=Counter)  # troubles, by status


@contextmanager
def having(day: BadDay) -> Iterator[BadDay]:
    behind = urlsplit(day.behind).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            trouble = day.trouble(self.command, self.path)
            if trouble is None or trouble.done:
                status, headers, data = self.ask(body)
            if trouble is not None:
                day.seen[trouble.status] += 1
                trouble.then()
                if trouble.status == RESET:
                    self.close_connection = True
                    return
                text = ANSWERS[trouble.status]
                status, headers = trouble.status, {"Content-Type": "application/xml"}
                data = f"<Error><Code>{text}</Code><Message>as the test says</Message></Error>".encode()
            with suppress(OSError):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

        def ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            link = http.client.HTTPConnection(behind, timeout=60)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "transfer-encoding"}
                link.request(self.command, self.path, body, headers)
                answer = link.getresponse()
                data = answer.read()
                kept = {name: value for name, value in answer.getheaders() if name.lower() in _KEPT}
                if self.command == "HEAD":
                    kept["Content-Length"] = answer.getheader("Content-Length", "0")
                return answer.status, kept, data
            finally:
                link.close()

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve  # noqa: N815  names of the library

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:  # a client that goes away is no failure of the test
            pass

    server = Server(("127.0.0.1", 0), Handler)
    day.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield day
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
