"""An API server that lists and watches pods, and fails as told."""

from __future__ import annotations

import contextlib
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def pod(name: str, uid: str = "u1", version: int = 1, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name, "namespace": "shop", "uid": uid, "resourceVersion": str(version), "labels": labels,
            "annotations": {"team": "red"},
        }
    }  # fmt: skip


class FakeApi:
    """`pods` are listed; `events` are what a watch tells next; None ends it, `bytes` go out as they are."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.pods: list[dict[str, Any]] = []
        self.version = 10
        self.events: queue.Queue[Any] = queue.Queue()
        self.statuses: list[int] = []  # of the next answers, 200 when there are no more
        self.requests: list[tuple[str, dict[str, str], str]] = []  # list or watch, parameters, token
        self.page = 500
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                fake.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(to.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        watch = asked.get("watch") == "1"
        self.requests.append(("watch" if watch else "list", asked, to.headers.get("Authorization", "")))
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200 or parts.path != "/api/v1/pods":
            to.send_response(status if status != 200 else 404)
            to.send_header("Content-Length", "0")
            to.end_headers()
        elif watch:
            with contextlib.suppress(OSError):  # the client went away
                self.watch(to)
        else:
            self.list(to, int(asked.get("continue", "0")))

    def list(self, to: BaseHTTPRequestHandler, start: int) -> None:
        items = self.pods[start : start + self.page]
        more = str(start + self.page) if start + self.page < len(self.pods) else ""
        body = json.dumps(
            {"items": items, "metadata": {"resourceVersion": str(self.version), "continue": more}}
        ).encode()
        to.send_response(200)
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)

    def watch(self, to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Transfer-Encoding", "chunked")
        to.end_headers()
        while (event := self.events.get()) is not None:
            data = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
            if data == b"":  # the connection drops
                to.close_connection = True
                to.connection.close()
                return
            to.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            to.wfile.flush()
        to.wfile.write(b"0\r\n\r\n")

    def tell(self, kind: str, item: dict[str, Any]) -> None:
        self.events.put({"type": kind, "object": item})

    def close(self) -> None:
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()


def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for another thread to get so far."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)
