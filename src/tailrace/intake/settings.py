"""Limits of all receivers together, and the union of the settings of each, which lie beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from tailrace import limits
from tailrace.intake.forward.settings import ForwardSettings
from tailrace.intake.otlp.settings import OtlpGrpcSettings
from tailrace.intake.syslog.settings import SyslogSettings
from tailrace.settings import Mistake, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ELASTICSEARCH_VERSION: Final = "8.19.0"

AnyReceiver = Annotated[SyslogSettings | ForwardSettings | OtlpGrpcSettings, Field(discriminator="type")]
"""Settings of one receiver; `type` says which model reads the rest."""


class IntakeSettings(Settings):
    """How much may come from outside at once: over HTTP, gRPC, syslog and all else together."""

    bytes_at_once: Annotated[int, Field(ge=2 * limits.PUSH_BODY_BYTES)] = limits.INTAKE_BYTES
    """Bytes that were received and are not durable yet, over all receivers. Beyond it senders are told to come back,
    or are not read. One client alone gets half of it, so that there is room for others."""

    requests_at_once: Annotated[int, Field(ge=2)] = limits.PUSHES_WAITING
    """Requests with lines that are not answered yet. One client alone gets half of them."""

    connections: Annotated[int, Field(ge=0)] = limits.INTAKE_CONNECTIONS
    """Connections to receivers other than HTTP that may be open at once; 0 = no limit."""

    client_connections: Annotated[int, Field(ge=0)] = limits.CLIENT_CONNECTIONS
    """How many of them one client may have; 0 = no limit."""

    client_requests_per_s: Annotated[float, Field(ge=0)] = 0
    """Requests of one client in a second, on average; 0 = no limit."""

    client_bytes_per_s: Annotated[int, Field(ge=0)] = 0
    """Bytes of one client in a second, on average, as sent; 0 = no limit."""

    elasticsearch_version: Annotated[str, Field(pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,3}$")] = ELASTICSEARCH_VERSION
    """Version that clients of Elasticsearch are told. Beats refuse a server that is older than themselves."""


def wrong_receivers(receivers: Sequence[AnyReceiver], page: str = "") -> Iterator[Mistake]:
    """Yield what is wrong with receivers that their own models cannot see; `page` is where the page listens."""
    places = {page: "the page"}
    for index, one in enumerate(receivers):
        streams = "tcp" in one.protocols if isinstance(one, SyslogSettings) else True
        if streams and one.listen in places and not one.listen.endswith(":0"):
            what = f"{one.listen} belongs to {places[one.listen]} already"
            yield Mistake(what, "choose another port", (index, "listen"))
        elif streams:
            places[one.listen] = f"receivers[{index}]"
        taken = [number for number, other in enumerate(receivers[:index]) if other.name == one.name]
        if taken:
            what = f"the name {one.name!r} belongs to receivers[{taken[0]}] already"
            yield Mistake(what, "give each receiver a name of its own", (index, "name"))
