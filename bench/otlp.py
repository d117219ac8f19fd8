"""OTLP logs over HTTP and gRPC, from several senders on loopback to the durable table, of a real `tailrace up`."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from bench.live import ask, fresh, running
from bench.measure import OUT, Plan, Row, cpu_seconds, status_mib, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

RATE_FLOOR: Final = 60_000
SENDERS: Final = 24
"""Small commits are a second apart, so what is under way at once bounds the rate."""

BATCH: Final = 8_192
"""Records of a request: what the batch processor of OpenTelemetry's collector sends."""

_SERVICE: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def bodies(records: int, batch: int = BATCH) -> Iterator[bytes]:
    """Yield requests of records as a web service would send them: ten fields each, four of them attributes."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    for first in range(0, records, batch):
        request = ExportLogsServiceRequest()
        logs = request.resource_logs.add()
        for key, value in (("service.name", "cart"), ("k8s.pod.name", "cart-7"), ("host.name", "a1")):
            logs.resource.attributes.add(key=key).value.string_value = value
        scope = logs.scope_logs.add()
        scope.scope.name = "app"
        for number in range(first, min(first + batch, records)):
            record = scope.log_records.add(severity_number=9, severity_text="INFO")
            record.time_unix_nano = record.observed_time_unix_nano = time.time_ns() + number
            record.body.string_value = f"GET /cart/{number % 1000} done in {number % 97} ms"
            record.trace_id, record.span_id = (number * 7919).to_bytes(16), (number * 31).to_bytes(8)
            record.attributes.add(key="http.request.method").value.string_value = "GET"
            record.attributes.add(key="http.response.status_code").value.int_value = 200 + number % 3
            record.attributes.add(key="url.path").value.string_value = f"/cart/{number % 1000}"
            record.attributes.add(key="duration").value.double_value = number % 97 / 7
        yield request.SerializeToString()


def measure(plan: Plan) -> list[Row]:
    records = plan.import_rows // 2
    requests = list(bodies(records))
    folder = fresh(OUT / "otlp")
    rows = []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "config.json"
    config.write_text(json.dumps({"sources": [], "receivers": [{"type": "otlp_grpc", "listen": f"127.0.0.1:{port}"}]}))
    with running(folder / "logs", config=config) as (url, pid):
        http_ = poster(url, "/v1/logs", "application/x-protobuf")
        for what, send in (("HTTP", http_), ("gRPC", _grpc(port))):
            rows.append(rate(f"OTLP over {what}, protobuf", pid, requests, send, records, RATE_FLOOR))
        query = 'sum(count_over_time({service_name="cart"}[1h]))'
        result = ask(url, "/loki/api/v1/query", query=query, time=time.time_ns() + 600_000_000_000)["result"]
        assert int(float(result[0]["value"][1])) == 2 * records, result
    return rows


def rate(
    what: str,
    pid: int,
    requests: Sequence[bytes],
    send: Callable[[bytes], None],
    records: int,
    floor: int,
    senders: int = SENDERS,
) -> Row:
    """Send requests by several senders; the clock stops at the last acknowledgement."""
    before, began = cpu_seconds(pid), time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(send, requests))
    took = time.perf_counter() - began
    size = sum(map(len, requests))
    held = verdict(records / took >= floor)
    note = f"{records / took:,.0f} a second, {senders} senders, {len(requests):,} requests"
    cpu, peak = cpu_seconds(pid) - before, status_mib(pid, "VmHWM")
    return Row("receive", what, took, lines=records, bytes=size, cpu_s=cpu, peak_mib=peak, verdict=held, note=note)


def poster(url: str, path: str, kind: str) -> Callable[[bytes], None]:
    """Return what posts a body, over one connection for each thread."""
    local = threading.local()
    host = urllib.parse.urlsplit(url).netloc

    def post(body: bytes) -> None:
        connection = getattr(local, "connection", None)
        if connection is None:
            connection = local.connection = http.client.HTTPConnection(host, timeout=120)
        while True:
            connection.request("POST", path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
            if answer.status < 300:
                return
            assert answer.status in {429, 503}, answer.status
            time.sleep(0.1)

    return post


def _grpc(port: int) -> Callable[[bytes], None]:
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_send_message_length", -1)])
    export = channel.unary_unary(_SERVICE)

    def send(body: bytes) -> None:
        export(body, timeout=120)

    return send
