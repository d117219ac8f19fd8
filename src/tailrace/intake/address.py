"""Where a receiver listens and whom it hears: settings that all of them share.

An address that other machines reach is refused unless the receiver proves or restricts who sends: TLS, or `allow`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from tailrace.access.model import TENANT
from tailrace.settings import Mistake, Settings

_PORT_MAX: Final = 65_535
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise Mistake(f"{value!r} cannot name a receiver", "use letters, digits, '.', '_' and '-'")
    return value


def _address(value: str) -> str:
    parse_address(value)
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for index, one in enumerate(value):
        if network_of(one) is None:
            raise Mistake(f"{one!r} is no address and no network", "write for example 10.0.0.0/8", (index,))
    return value


def _labels(value: dict[str, str]) -> dict[str, str]:
    for label in value:
        if not _LABEL.fullmatch(label):
            raise Mistake(f"{label!r} cannot name a label", "use letters, digits and '_'", (label,))
    return value


def _tenant(value: str) -> str:
    if value and not TENANT.fullmatch(value):
        raise Mistake(f"{value!r} cannot name a tenant", "use up to 64 letters, digits, '.', '_' and '-'")
    return value


ReceiverName = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_name)]
"""Name of a receiver: the label `source` of its lines."""

TenantName = Annotated[str, AfterValidator(_tenant)]
"""Name of a tenant, or none."""

ListenAddress = Annotated[str, AfterValidator(_address)]
"""Address and port of one; an IP address or `localhost`."""


class ReceiverSettings(Settings):
    """What every receiver has; each kind's own model adds its `type` and the rest."""

    name: ReceiverName
    """Name of this receiver: the label `source` of its lines. Unique in a configuration."""

    listen: ListenAddress
    """Address and port to listen on, port 0 for any free one. One that other machines reach needs `tls` or `allow`."""

    tls: bool = False
    """Whether senders speak TLS; the certificate, and whose clients are let in, stand under the key `tls` of the whole
    configuration."""

    allow: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    """Addresses and networks that may send, as `10.0.0.0/8`; an empty list lets everybody in who reaches the port."""

    labels: Annotated[dict[str, str], AfterValidator(_labels)] = Field(default_factory=dict)
    """Labels of all lines, beside those that they bring."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        host, _ = parse_address(self.listen)
        if not is_loopback(host) and not self.guarded:
            raise Mistake(
                f"{self.listen!r} can be reached from other machines, and nothing says who may send",
                "name the networks that may in 'allow', or set 'tls: true'",
                ("listen",),
            )
        return self

    @property
    def guarded(self) -> bool:
        """Tell whether somebody who reaches the port may be turned away, or cannot be overheard."""
        return self.tls or bool(self.allow)


def parse_address(text: str) -> tuple[str, int]:
    """Return the host and port of an address to listen on.

    >>> parse_address("127.0.0.1:514"), parse_address("[::]:0"), parse_address(":6514")
    (('127.0.0.1', 514), ('::', 0), ('0.0.0.0', 6514))
    """
    host, separator, port = text.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit()) or int(port) > _PORT_MAX:
        raise Mistake(f"{text!r} is no address with a port", "write for example 127.0.0.1:5514")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ipaddress.ip_address(bare or "0.0.0.0")  # noqa: S104  what an empty host means
    except ValueError:
        if bare != "localhost":
            raise Mistake(f"{bare!r} is no address", "write an IP address or localhost") from None
    return bare or "0.0.0.0", int(port)  # noqa: S104  as above


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def network_of(text: str) -> Network | None:
    """Return an address or a network as a network, None if it is neither."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
