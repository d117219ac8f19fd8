"""Settings of the sink for OTLP."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from tailrace.settings import Mistake
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

    @model_validator(mode="after")
    def _grpc_can(self) -> Self:
        if self.protocol == "grpc" and self.tls.insecure_skip_verify:
            hint = "give tls.ca_file, or use protocol http"
            raise Mistake("gRPC cannot skip the check of certificates", hint, ("tls", "insecure_skip_verify"))
        if self.protocol == "grpc" and self.url.count("/") > 2:  # noqa: PLR2004  those of ://
            raise Mistake("an address of gRPC has no path", "write for example http://127.0.0.1:4317", ("url",))
        return self
