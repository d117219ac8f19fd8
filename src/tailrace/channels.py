"""The settings of channels: where a reduction sends rows beside the table.

A word that `reduce` and `sinks` share: a spec names channels, sinks are made from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from tailrace.settings import Settings


class _Named(Settings):
    name: Annotated[str, Field(min_length=1)]
    """Name of the channel, as `route` steps and event filters have it."""

    queue: Annotated[int, Field(ge=1)] = 10_000
    """Rows that may wait to be sent; more are given up and counted, so that a slow channel stops nobody."""


class FileChannel(_Named):
    """Append rows to a file, which is made if it does not exist."""

    type: Literal["file"] = "file"
    """The kind of channel."""

    path: Annotated[str, Field(min_length=1)]
    """The file. It is opened by name for each write, so it may be rotated by renaming."""

    format: Literal["text", "json", "events"] = "text"
    """`text` writes the line, `json` an object with all fields, `events` the blocks of a file-event trace: `COUNT:`,
    `EVENT:` and an empty line."""


class StdoutChannel(_Named):
    """Write rows to standard output."""

    type: Literal["stdout"] = "stdout"
    """The kind of channel."""

    format: Literal["text", "json", "events"] = "text"
    """As a file's."""


class GrpcChannel(_Named):
    """Stream rows over gRPC. Needs the extra `otlp`."""

    type: Literal["grpc"] = "grpc"
    """The kind of channel."""

    path: Annotated[str, Field(pattern=r"^.+:\d+$")]
    """Address of the receiver, `host:port`."""

    format: Literal["otlp", "traceleft"] = "otlp"
    """`otlp` sends OTLP log records to the collector's logs service, `traceleft` the messages of
    `tracer.MetricCollector`."""

    insecure: bool = False
    """Send without TLS; else the receiver must prove to be `host`."""

    ca_file: str = ""
    """Certificates to trust instead of the system's, as PEM."""


class OtlpChannel(_Named):
    """Send rows as OTLP logs over HTTP."""

    type: Literal["otlp"] = "otlp"
    """The kind of channel."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    """Address of the receiver; `/v1/logs` is added to a bare address."""

    headers: dict[str, str] = Field(default_factory=dict)
    """Further headers, such as an authorization."""

    ca_file: str = ""
    """Certificates to trust instead of the system's, as PEM."""


class PrometheusChannel(_Named):
    """Count rows in a metric of the process: `tailrace_channel_events_total` by channel and event."""

    type: Literal["prometheus"] = "prometheus"
    """The kind of channel."""


class StoreChannel(_Named):
    """Store rows in the table, as lines of `{source="<name>"}`."""

    type: Literal["store"] = "store"
    """The kind of channel."""


def _kind(value: Any) -> str:  # a mapping from a file, or settings already made
    kind = value.get("type", "") if isinstance(value, dict) else getattr(value, "type", "")
    return kind if isinstance(kind, str) else repr(kind)


ChannelSettings = Annotated[
    Annotated[FileChannel, Tag("file")]
    | Annotated[StdoutChannel, Tag("stdout")]
    | Annotated[GrpcChannel, Tag("grpc")]
    | Annotated[OtlpChannel, Tag("otlp")]
    | Annotated[PrometheusChannel, Tag("prometheus")]
    | Annotated[StoreChannel, Tag("store")],
    Discriminator(_kind),
]
"""Settings of one channel; `type` says which model reads the rest."""

KINDS = ("file", "stdout", "grpc", "otlp", "prometheus", "store")
