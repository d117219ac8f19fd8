"""A small receiver of what gRPC channels send: for trying a spec out, and for tests.

Comes in: OTLP logs, and the stream of `tracer.MetricCollector`, on one port. Goes out: how many events of which name
arrived. Needs the extra `otlp`.
"""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from tailrace.sinks.channels.tracer_messages import Empty, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOGS = "opentelemetry.proto.collector.logs.v1.LogsService"


class Receiver:
    """Counts events by name; `messages` keeps the last ones for a look at them."""

    def __init__(
        self, address: str, *, key: bytes | None = None, certificate: bytes | None = None, keep: int = 0
    ) -> None:
        self.messages: list[Any] = []  # of either protocol: generated classes without types
        self._keep = keep
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        # A port that somebody listens on is refused; shared, each would get some of the connections.
        alone = [("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(8, thread_name_prefix="receive"), options=alone)
        process = grpc.stream_unary_rpc_method_handler(
            self._process, request_deserializer=Metric.FromString, response_serializer=_bytes
        )
        export = grpc.unary_unary_rpc_method_handler(
            self._export, request_deserializer=ExportLogsServiceRequest.FromString, response_serializer=_bytes
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler("tracer.MetricCollector", {"Process": process}),
                grpc.method_handlers_generic_handler(_LOGS, {"Export": export}),
            )
        )
        if key is None or certificate is None:
            self.port: int = self._server.add_insecure_port(address)
        else:
            credentials = grpc.ssl_server_credentials([(key, certificate)])
            self.port = self._server.add_secure_port(address, credentials)

    def start(self) -> None:
        """Begin to receive."""
        self._server.start()

    def stop(self) -> None:
        """Stop receiving."""
        self._server.stop(grace=1).wait()

    def top(self, number: int = 10) -> list[tuple[str, int]]:
        """Return the names with most events, and how many."""
        with self._lock:
            return self._counts.most_common(number)

    def _process(self, requests: Iterator[Any], _context: grpc.ServicerContext) -> Any:  # generated classes, as below
        for metric in requests:
            self._take(metric, [(metric.common_event.name, metric.count)])
        return Empty()

    def _export(self, request: Any, _context: grpc.ServicerContext) -> Any:
        self._take(request, _names(request))
        return ExportLogsServiceResponse()

    def _take(self, message: Any, counts: Iterable[tuple[str, int]]) -> None:
        with self._lock:
            for name, count in counts:
                self._counts[name] += count
            self.messages = [*self.messages, message][-self._keep :] if self._keep else []


def _names(request: Any) -> Iterator[tuple[str, int]]:
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for record in scope.log_records:
                values = {pair.key: pair.value for pair in record.attributes}
                name = values["name"].string_value if "name" in values else "log"
                yield name, values["count"].int_value if "count" in values else 1


def _bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
