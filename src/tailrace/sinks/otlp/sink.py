"""Deliver rows as OTLP log records, at least once: after a crash at most what was on its way comes again.

Each record has its id as `log.record.uid`, the same when it comes again, for receivers that look at it. What a receiver
refuses of a request without saying which records (`partial_success`) must not be sent again: the whole request is set
aside with the number that was refused, since nobody can tell which ones are missing there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tailrace.errors import ConfigError, Problem, TransientError
from tailrace.sinks.delivery import DELIVERED, Sent
from tailrace.sinks.sending import SendingSink
from tailrace.sinks.service import Service

if TYPE_CHECKING:
    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Courier, Rows
    from tailrace.sinks.otlp.settings import OtlpSettings

_PATH: Final = "/v1/logs"
_KIND: Final = {"Content-Type": "application/x-protobuf"}


def otlp_sink(settings: OtlpSettings, around: Around) -> SendingSink:
    """Return the sink; a missing extra is a `ConfigError`."""
    try:
        from tailrace.sinks.channels import otlp_logs  # noqa: F401  it imports what is optional
        from tailrace.sinks.otlp.over_grpc import GrpcCourier
    except ModuleNotFoundError as error:
        hint = "pip install 'tailrace[otlp]'"
        raise ConfigError(
            [Problem(f"sink {settings.name!r}", f"needs {error.name}, which is not installed", hint)]
        ) from error
    courier: Courier
    courier = (
        GrpcCourier(settings) if settings.protocol == "grpc" else HttpCourier(settings, Service(settings, around.clock))
    )
    return SendingSink(settings, around, courier)


class HttpCourier:
    """Posts protobuf to one receiver."""

    def __init__(self, settings: OtlpSettings, service: Service) -> None:
        self._service = service
        self._url = settings.url
        self._path = "" if urlsplit(settings.url).path.strip("/") else _PATH

    def send(self, rows: Rows) -> Sent:
        """Export records."""
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

        from tailrace.sinks.channels.otlp_logs import request

        answer = self._service.request("POST", self._path, request(rows.frame, rows.ids()).SerializeToString(), _KIND)
        response = ExportLogsServiceResponse()
        if answer.headers.get("Content-Type", "").startswith("application/x-protobuf"):
            try:
                response.ParseFromString(answer.content)
            except Exception:  # noqa: BLE001  protobuf's own, of which there are several
                raise TransientError(f"{self._url}: did not answer as OTLP says") from None
        return partly(response, rows)

    def close(self) -> None:
        """Close the connection."""
        self._service.close()


def partly(response: Any, rows: Rows) -> Sent:  # a message of protobuf, which has no types
    """Return what a response says of the records."""
    rejected = response.partial_success.rejected_log_records
    if rejected <= 0:
        return DELIVERED
    said = response.partial_success.error_message
    which = "all" if rejected >= len(rows) else f"{rejected} of {len(rows)} (it does not say which)"
    return Sent(refused=dict.fromkeys(range(len(rows)), f"the receiver refused {which} of the records: {said}"))
