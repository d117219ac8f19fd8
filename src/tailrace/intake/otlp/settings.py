"""Settings of the OTLP receiver over gRPC; OTLP over HTTP needs none, it is a part of the HTTP port."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tailrace import limits
from tailrace.intake.address import ListenAddress, ReceiverName, ReceiverSettings


class OtlpGrpcSettings(ReceiverSettings):
    """Receive OpenTelemetry logs over gRPC. Needs the extra `otlp`."""

    type: Literal["otlp_grpc"] = "otlp_grpc"
    """The kind of receiver."""

    name: ReceiverName = "otlp_grpc"
    """Name of this receiver, in messages. Unique in a configuration."""

    listen: ListenAddress = "127.0.0.1:4317"
    """Address and port to listen on, port 0 for any free one. One that other machines reach needs `tls` or `allow`."""

    message_bytes: Annotated[int, Field(ge=limits.MIB, le=limits.PUSH_BODY_BYTES)] = limits.OTLP_MESSAGE_BYTES
    """Largest request, unpacked. A larger one is refused for good: its sender drops it."""
