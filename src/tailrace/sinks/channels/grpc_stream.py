"""A channel over gRPC: OTLP logs, or one long stream of `tracer.MetricCollector`. Needs the extra `otlp`."""

from __future__ import annotations

import queue
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from tailrace.errors import TailraceError, TransientError
from tailrace.sinks.channels.otlp_logs import request
from tailrace.sinks.channels.outbox import Outbox
from tailrace.sinks.channels.tracer_messages import METHOD, Empty, metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from tailrace.channels import GrpcChannel

TIMEOUT_S: Final = 10.0
END_S: Final = 2.0
"""How long a call that ends waits for the receiver to have taken everything."""

_HEALTH: Final = "/grpc.health.v1.Health/Check"
_AGAIN: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
)


def to_grpc(settings: GrpcChannel) -> Outbox:
    """Return a channel that streams rows to a receiver."""
    target = settings.path
    connection = _connect(settings)
    if settings.format == "otlp":
        stub = LogsServiceStub(connection)  # type: ignore[no-untyped-call]  # made by a generator

        def deliver(rows: pl.DataFrame) -> None:
            try:
                stub.Export(request(rows), timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                raise _meaning(error, target) from error

        return Outbox(settings.name, settings.queue, deliver, connection.close)
    stream = _Stream(connection, target)

    def stop() -> None:
        stream.close()
        connection.close()

    return Outbox(settings.name, settings.queue, stream.deliver, stop)


def _connect(settings: GrpcChannel) -> grpc.Channel:
    if settings.insecure:
        return grpc.insecure_channel(settings.path)
    roots = Path(settings.ca_file).read_bytes() if settings.ca_file else None
    return grpc.secure_channel(settings.path, grpc.ssl_channel_credentials(roots))


class _Stream:
    """One call that stays open: rows are written into it; after a failure the next rows open another."""

    def __init__(self, connection: grpc.Channel, target: str) -> None:
        self._open = connection.stream_unary(
            METHOD, request_serializer=_serialized, response_deserializer=Empty.FromString
        )
        self._probe = connection.unary_unary(_HEALTH)
        self._target = target
        self._messages: queue.Queue[Any] = queue.Queue(1)  # of messages; None ends the call
        self._call: Any = None  # of gRPC, which has no types
        self._rows: pl.DataFrame | None = None  # that were delivered last, and how many of them
        self._put_in = 0

    def deliver(self, rows: pl.DataFrame) -> None:
        """Write rows into the call; raises when it is broken."""
        if self._call is None:
            self._reach()
            self._messages = queue.Queue(1)
            self._call = self._open.future(self._requests(self._messages))
        if rows is not self._rows:
            self._rows, self._put_in = rows, 0
        for message in metrics(rows[self._put_in :]):  # what was written into a call that broke is not written again
            self._put(message)
            self._put_in += 1

    def _reach(self) -> None:
        """Ask something that any receiver answers, were it only by a refusal: what is written into a call is gone."""
        try:
            self._probe(b"", timeout=TIMEOUT_S, wait_for_ready=True)
        except grpc.RpcError as error:
            meaning = _meaning(error, self._target)
            if isinstance(meaning, TransientError):
                raise meaning from error

    def _put(self, message: object) -> None:
        while True:
            if self._call.done():
                call, self._call = self._call, None
                with suppress(queue.Full):
                    self._messages.put_nowait(None)  # ends the thread that waits for messages
                raise _meaning(call.exception(), self._target)
            try:
                self._messages.put(message, timeout=0.1)
            except queue.Full:
                continue
            return

    @staticmethod
    def _requests(messages: queue.Queue[Any]) -> Iterator[Any]:
        while (message := messages.get()) is not None:
            yield message

    def close(self) -> None:
        """End the call, after what was written; a receiver that takes nothing is not waited for."""
        call = self._call
        if call is None or call.done():
            return
        try:
            self._messages.put(None, timeout=END_S)
            call.result(timeout=END_S)
        except (queue.Full, grpc.RpcError, grpc.FutureTimeoutError):
            call.cancel()


def _serialized(message: Any) -> bytes:  # protobuf's messages have no types
    data: bytes = message.SerializeToString()
    return data


def _meaning(error: Any, target: str) -> TailraceError:  # gRPC's errors have no types
    code = error.code() if isinstance(error, grpc.Call) or hasattr(error, "code") else None
    what = f"{target}: {error.details() if hasattr(error, 'details') else error}"
    return TransientError(what) if code is None or code in _AGAIN else TailraceError(what)
