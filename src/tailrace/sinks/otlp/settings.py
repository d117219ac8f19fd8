"""Settings of the sink for OTLP."""

from __future__ import annotations

from typing import Literal

from tailrace.sinks.service_settings import ServiceSettings
from tailrace.sinks.settings import SinkName  # noqa: TC001  pydantic reads it


class OtlpSettings(ServiceSettings):
    """OTLP logs: one resource per stream, fields as attributes, ids as `log.record.uid`. Needs the extra `otlp`."""

    type: Literal["otlp"] = "otlp"
    """The kind of sink."""

    name: SinkName = "otlp"
    """Name of the sink."""

    protocol: Literal["http", "grpc"] = "http"
    """`http` posts protobuf to `/v1/logs` (4318 is the usual port), `grpc` calls the logs service (4317); there an
    address with `http://` is spoken to without TLS."""
