"""Connects where `access.outbound` says, in the place of the client's own looking up of names.

The name stays what certificates are held to; only the address that is dialled is ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from tailrace.access.outbound import Outbound


class PinnedBackend(httpcore.SyncBackend):
    """Dials addresses that were looked up and allowed just before."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        failure: Exception | None = None
        for address in self._outbound.addresses(host, port):
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002  as it is called
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002  as above
    ) -> httpcore.NetworkStream:
        """Refuse."""
        raise httpcore.ConnectError(f"no socket is called: {path}")


def transport(outbound: Outbound, trust: ssl.SSLContext, proxy: str | None) -> httpx.HTTPTransport:
    """Return what carries requests; a proxy is dialled where it is allowed too."""
    made = httpx.HTTPTransport(verify=trust, proxy=proxy, trust_env=False)
    made._pool._network_backend = PinnedBackend(outbound)  # noqa: SLF001  httpx has no parameter for it; a test holds it
    return made
