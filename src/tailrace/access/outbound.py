"""Where this server may call when somebody asks it to over the API: out, not in.

Who may save a receiver names an address, and this server then calls it: from within the network, where much answers
without asking who calls (server-side request forgery). Comes in: a host. Goes out: the addresses to connect to, and
only to these: the name is not looked up a second time, so that it cannot mean something else by then. Refuses this
machine, private networks, the metadata services of clouds, and everything else that is not the public internet; in
whatever way it is written, since what counts are the addresses that the system makes of it. Of several addresses one
such is enough. Redirects are nobody's to follow.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final

from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CARRYING: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""Networks of IPv6 whose last four bytes are an address of IPv4."""


_SPECIAL: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",
            "192.88.99.0/24",
            "100.64.0.0/10",
            "198.18.0.0/15",
            "168.63.129.16/32",
            "fec0::/10",
            "3fff::/20",
        ),
    )
)
"""Networks that some versions of Python call public: of providers' own services, relays, carriers and benchmarks; the
service of Azure that hands out the settings of a machine; networks of a site, and those of examples."""


class ForbiddenError(TailraceError):
    """A receiver that was saved over the API leads where it may not."""


class Outbound:
    """Says where calls may go. Any thread may ask; it blocks while a name is looked up."""

    def __init__(
        self,
        allowed: Sequence[str] = (),
        *,
        trusting: bool = False,
        resolve: Callable[[str, int], Sequence[str]] | None = None,
    ) -> None:
        """Allow names and networks; with `trusting` also this machine and private networks, all but link-local ones."""
        self._names = {one.lower().rstrip(".") for one in allowed if _network(one) is None}
        self._networks = [network for one in allowed if (network := _network(one)) is not None]
        self.trusting = trusting
        self._resolve = resolve or _resolved

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host, at least one. `ForbiddenError` for a place inside; OSError for no place."""
        name = host.strip("[]").rstrip(".").lower()
        found = self._resolve(name, port)
        if not found:
            raise OSError(f"{name} has no address")
        if name not in self._names:
            for one in found:
                self._check(one)
        return found

    def check(self, host: str, port: int) -> None:
        """Refuse a host that leads inside now; one that cannot be looked up now is looked at when it is called."""
        try:
            self.addresses(host, port)
        except (OSError, UnicodeError):
            return

    def named(self, host: str) -> bool:
        """Tell whether the operator allowed a name."""
        return host.strip("[]").rstrip(".").lower() in self._names

    def _check(self, text: str) -> None:
        address = _bare(text)
        if any(address in network for network in self._networks if network.version == address.version):
            return
        if _public(address):
            return
        inside = address.is_loopback or address.is_private
        if self.trusting and inside and not address.is_link_local and not address.is_unspecified:
            return
        raise ForbiddenError(
            "this leads to this machine or into a private network, where receivers saved over the API may not be sent: "
            "allow it in access.call_private, or write the receiver into the configuration"
        )


def _bare(text: str) -> Address:
    """Return an address without its zone, and that of IPv4 which one of IPv6 carries."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address.teredo is not None:
            return address.teredo[1]
        if any(address in network for network in _CARRYING) and not address.is_loopback:
            return ipaddress.IPv4Address(address.packed[-4:])
    return address


def _public(address: Address) -> bool:
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _resolved(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))
