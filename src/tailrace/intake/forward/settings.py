"""Settings of the receiver of Fluent Forward."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tailrace import limits
from tailrace.intake.address import ListenAddress, ReceiverName, ReceiverSettings, TenantName
from tailrace.secret import Secret  # noqa: TC001  pydantic reads it


class ForwardSettings(ReceiverSettings):
    """Receive what Fluentd, Fluent Bit and their clients send with the protocol Forward."""

    type: Literal["forward"] = "forward"
    """The kind of receiver."""

    name: ReceiverName = "forward"
    """Name of this receiver: the label `source` of its lines. Unique in a configuration."""

    listen: ListenAddress = "127.0.0.1:24224"
    """Address and port to listen on; port 0 takes any free one. One that other machines reach needs `tls`, `allow` or
    `shared_key`."""

    shared_key: Secret | None = None
    """What senders must prove to know (`shared_key` in their configuration). None: nothing is asked."""

    chunk_bytes: Annotated[int, Field(ge=4_096, le=limits.PUSH_BODY_BYTES)] = limits.FORWARD_CHUNK_BYTES
    """Longest chunk, as sent and as unpacked; a connection that sends more is closed."""

    tenant: TenantName = ""
    """Tenant to whom all lines belong (`access.tenants`); none: to the operator."""

    idle_s: Annotated[float, Field(gt=0)] = 3_600.0
    """A connection over which nothing came for so long is closed."""

    @property
    def guarded(self) -> bool:
        """Tell whether somebody who reaches the port may be turned away, or cannot be overheard."""
        return super().guarded or self.shared_key is not None
