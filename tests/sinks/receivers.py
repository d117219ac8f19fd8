"""Receivers for tests of sinks: what they got, and faults on request. A row with the text POISON is refused for good."""

from __future__ import annotations

import gzip
import json
import threading
from collections import deque
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import grpc
import polars as pl
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)

from tailrace.clock import SystemClock
from tailrace.patience import Patience
from tailrace.sinks.around import Around
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POISON = "poison"


def around(data: Path, name: str = "test", *, patience: Patience | None = None, clock=None) -> Around:
    clock = clock or SystemClock()
    return Around(name, data, "local", "here", clock, Accounts(), patience or Patience(clock))


@dataclass
class Answer:
    """What a fake answers to one request."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


class Fake:
    """What a receiver got, in order, and what it is told to do with the next requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []  # method, path, headers, body
        self.faults: deque[Answer | None] = deque()  # None: the connection breaks
        self.open = threading.Event()  # while it is clear, requests wait
        self.open.set()
        self.url = ""

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        raise NotImplementedError

    def lines(self) -> list[str]:
        raise NotImplementedError

    def ids(self) -> list[str]:
        raise NotImplementedError


class FakeElasticsearch(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict] = {}
        self.template: dict | None = None
        self.statuses: deque[int] = deque()  # of the next items, instead of what would be

    def answer(self, method, path, headers, body) -> Answer:
        if path.startswith("/_index_template/"):
            if method == "PUT":
                self.template = json.loads(body)
            return Answer(200 if self.template else 404, b'{"acknowledged":true}')
        found = [json.loads(line) for line in body.split(b"\n") if line]
        items = [
            self._item(action["create"]["_id"], document)
            for action, document in zip(found[::2], found[1::2], strict=True)
        ]
        errors = any(item["status"] >= 300 for item in items)
        return Answer(body=json.dumps({"errors": errors, "items": [{"create": item} for item in items]}).encode())

    def _item(self, uid: str, document: dict) -> dict:
        status = self.statuses.popleft() if self.statuses else 0
        if status:
            return {"status": status, "error": {"type": "told", "reason": "to"}}
        if POISON in document["message"]:
            return {"status": 400, "error": {"type": "document_parsing_exception", "reason": "no"}}
        if uid in self.documents:
            return {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "exists"}}
        self.documents[uid] = document
        return {"status": 201}

    def lines(self) -> list[str]:
        return [one["message"] for one in self.documents.values()]

    def ids(self) -> list[str]:
        return list(self.documents)


class FakeLoki(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[dict, list]] = []

    def answer(self, method, path, headers, body) -> Answer:
        pushed = [(one["stream"], value) for one in json.loads(body)["streams"] for value in one["values"]]
        if any(POISON in value[1] for _, value in pushed):
            return Answer(400, b"entry refused")
        self.entries += pushed
        return Answer(204, b"")

    def lines(self) -> list[str]:
        return [value[1] for _, value in self.entries]


class FakeOtlp(Fake):
    def __init__(self) -> None:
        super().__init__()
        self.records: list = []
        self.partly: deque[tuple[int, str]] = deque()

    def take(self, request: otlp.ExportLogsServiceRequest) -> otlp.ExportLogsServiceResponse | None:
        found = [r for one in request.resource_logs for scope in one.scope_logs for r in scope.log_records]
        if any(POISON in one.body.string_value for one in found):
            return None
        response = otlp.ExportLogsServiceResponse()
        if self.partly:
            response.partial_success.rejected_log_records, response.partial_success.error_message = (
                self.partly.popleft()
            )
        self.records += found
        return response

    def answer(self, method, path, headers, body) -> Answer:
        request = otlp.ExportLogsServiceRequest()
        request.ParseFromString(body)
        response = self.take(request)
        kind = {"Content-Type": "application/x-protobuf"}
        return Answer(400, b"bad") if response is None else Answer(200, response.SerializeToString(), kind)

    def lines(self) -> list[str]:
        return [one.body.string_value for one in self.records]

    def ids(self) -> list[str]:
        return [
            pair.value.string_value for one in self.records for pair in one.attributes if pair.key == "log.record.uid"
        ]


@contextmanager
def serving(fake: Fake) -> Iterator[Fake]:
    """Serve a fake over HTTP."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            fake.open.wait(60)
            fake.requests.append((self.command, self.path, dict(self.headers), body))
            fault = fake.faults.popleft() if fake.faults else Answer(0)
            if fault is None:
                self.close_connection = True
                return
            answer = fault if fault.status else fake.answer(self.command, self.path, dict(self.headers), body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_HEAD = handle_any  # noqa: N815  the server looks for these names

        def log_message(self, *_args) -> None:
            return

    with _server(Handler) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield fake
        fake.open.set()


@contextmanager
def _server(handler) -> Iterator[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address) -> None:  # a client that hung up
            return

    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving_grpc(fake: FakeOtlp) -> Iterator[FakeOtlp]:
    """Serve a fake over gRPC."""

    class Servicer(LogsServiceServicer):
        def Export(self, request, context):  # noqa: N802  gRPC names it so
            fake.open.wait(60)
            fake.requests.append(("Export", "", dict(context.invocation_metadata()), b""))
            fault = fake.faults.popleft() if fake.faults else Answer(0)
            if fault is None or fault.status:
                if fault is not None and fault.body != b"{}":
                    context.set_trailing_metadata((("grpc-status-details-bin", fault.body),))
                context.abort(grpc.StatusCode.UNAVAILABLE, "told to")
            response = fake.take(request)
            if response is None:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "bad")
            return response

    server = grpc.server(futures.ThreadPoolExecutor(4))
    add_LogsServiceServicer_to_server(Servicer(), server)
    fake.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield fake
    finally:
        fake.open.set()
        server.stop(None).wait(10)


@contextmanager
def mock_kafka(topic: str) -> Iterator[str]:
    """Run librdkafka's mock cluster, and give the address of its broker."""
    from confluent_kafka import Producer

    holder = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1})
    brokers = holder.list_topics(topic, timeout=30).brokers
    yield ",".join(f"{one.host}:{one.port}" for one in brokers.values())
    del holder


def consumed(brokers: str, topic: str, count: int) -> list:
    """Read messages of a topic: at least so many, and what comes within half a second after."""
    from confluent_kafka import Consumer, TopicPartition

    settings = {"bootstrap.servers": brokers, "group.id": "test", "enable.auto.commit": False, "fetch.wait.max.ms": 50}
    consumer = Consumer(settings)
    parts = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, part, 0) for part in parts])
    found: list = []
    try:
        for _ in range(600):
            message = consumer.poll(0.1 if len(found) < count else 0.5)
            if message is not None and not message.error():
                found.append(message)
            elif len(found) >= count:
                break
    finally:
        consumer.close()
    return found


def file_lines(folder: Path) -> list[str]:
    """Read what lies in the files of a sink."""
    found: list[str] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".jsonl":
            found += [json.loads(line)["line"] for line in path.read_bytes().splitlines()]
        elif path.suffix == ".parquet":
            found += pl.read_parquet(path)["_line"].to_list()
    return found
