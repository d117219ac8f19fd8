"""Settings of the syslog receiver."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tailrace import limits
from tailrace.intake.address import ListenAddress, ReceiverName, ReceiverSettings, TenantName
from tailrace.settings import Mistake

Protocol = Literal["udp", "tcp"]


class SyslogSettings(ReceiverSettings):
    """Receive syslog of RFC 3164 and RFC 5424, over UDP, TCP and TLS."""

    type: Literal["syslog"] = "syslog"
    """The kind of receiver."""

    name: ReceiverName = "syslog"
    """Name of this receiver: the label `source` of its lines. Unique in a configuration."""

    listen: ListenAddress = "127.0.0.1:5514"
    """Address and port to listen on, port 0 for any free one. One that other machines reach needs `tls` or `allow`."""

    protocols: Annotated[tuple[Protocol, ...], Field(min_length=1)] = ("udp", "tcp")
    """What to listen for on that port. With `tls` it is TLS, and `udp` is left out."""

    timezone: str = "local"
    """Zone of time stamps that name none: `local`, `UTC` or a name such as `Europe/Berlin`."""

    raw: Literal["auto", "keep"] = "auto"
    """`auto`: a line is the message, its header becomes fields. `keep`: a line is the exact text as it came."""

    message_bytes: Annotated[int, Field(ge=480, le=limits.LINE_BYTES)] = limits.SYSLOG_MESSAGE_BYTES
    """A longer message is cut there, marked by `_error`, and the cut bytes are counted."""

    udp_buffer_bytes: Annotated[int, Field(ge=4_096)] = limits.SYSLOG_UDP_BUFFER_BYTES
    """Room for datagrams in the kernel, of which it may grant less (`net.core.rmem_max`); what it drops is counted."""

    tenant: TenantName = ""
    """Tenant to whom all lines belong (`access.tenants`); none: to the operator."""

    idle_s: Annotated[float, Field(gt=0)] = 3_600.0
    """A connection over which nothing came for so long is closed."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        if value != "local":
            try:
                ZoneInfo(value)
            except (ValueError, OSError, KeyError):
                hint = "write 'local', 'UTC' or a name such as 'Europe/Berlin'"
                raise Mistake(f"there is no time zone {value!r}", hint) from None
        return value
