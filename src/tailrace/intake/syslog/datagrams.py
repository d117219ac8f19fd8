"""Syslog over UDP: one datagram is one message, and nobody is told whether it arrived.

Comes in: a bound socket and the event loop that watches it. Goes out: what came, per peer, with the hold that the gate
gave for it. Datagrams for which there is no room, of a peer that sends too much or is not allowed, are dropped and
counted, and so is what the kernel dropped because its buffer was full: `tailrace_datagrams_dropped_total`.

Cost: about 2 µs a datagram, for the system call that fetches it.
"""

from __future__ import annotations

import socket
import struct
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tailrace.intake.gate import Overloaded, client_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tailrace.intake.connections import Allowed
    from tailrace.intake.gate import Hold
    from tailrace.intake.listeners import Supply

    Take = Callable[[list[bytes], str, Hold], None]

AT_ONCE: Final = 1_024
"""Datagrams that are fetched before connections get their turn."""

LOOK_S: Final = 1.0
"""Between two looks at what the kernel dropped."""

_LAST_FETCHES: Final = 64  # more than the kernel's buffer holds
_DATAGRAM_BYTES: Final = 65_535
_RCVBUFFORCE: Final = 33  # of Linux: may go beyond `net.core.rmem_max`, for who may administer the network
_MEMINFO: Final = 55  # of Linux: what a socket holds and dropped
_MEMINFO_FORMAT: Final = "9I"
_DROPPED: Final = "Datagrams that were not stored: of the kernel, for want of room, or of peers that may not send."


class Datagrams:
    """One UDP socket. All but the constructor and `close` runs in the loop."""

    def __init__(self, sock: socket.socket, name: str, supply: Supply, allowed: Allowed, buffer_bytes: int) -> None:
        self._socket = sock
        self._name = name
        self._supply = supply
        self._allowed = allowed
        self._kernel = 0
        _enlarge(sock, buffer_bytes)

    @property
    def buffer_bytes(self) -> int:
        """What the kernel granted; it counts its own overhead in."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def start(self, loop: asyncio.AbstractEventLoop, take: Take) -> None:
        """Fetch what comes, from now on; `take` gets the datagrams of one peer."""
        loop.add_reader(self._socket.fileno(), self.fetch, take)
        self._look(loop)

    def stop(self, loop: asyncio.AbstractEventLoop, take: Take) -> None:
        """Fetch what is there, then no more; a flood does not keep it from stopping."""
        for _ in range(_LAST_FETCHES):
            if not self.fetch(take):
                break
        loop.remove_reader(self._socket.fileno())
        self._count_kernel()

    def close(self) -> None:
        """Free the port."""
        self._socket.close()

    def fetch(self, take: Take) -> int:
        """Fetch the next datagrams and hand them out; return how many there were."""
        peers: defaultdict[str, list[bytes]] = defaultdict(list)
        fetched, receive = 0, self._socket.recvfrom
        with suppress(OSError):  # nothing more is there, or an error of an earlier answer
            while fetched < AT_ONCE:
                data, address = receive(_DATAGRAM_BYTES)
                peers[address[0]].append(data)
                fetched += 1
        for peer, found in peers.items():
            self._hand_out(peer, found, take)
        return fetched

    def _hand_out(self, peer: str, found: list[bytes], take: Take) -> None:
        if not self._allowed(peer):
            self._count("not allowed", len(found))
            return
        try:
            hold = self._supply.gate.chunk(client_of(peer), sum(map(len, found)), receiver=self._name)
        except Overloaded as error:
            self._count(error.why, len(found))
            return
        take(found, peer, hold)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._socket.fileno() >= 0:
            self._count_kernel()
            loop.call_later(LOOK_S, self._look, loop)

    def _count_kernel(self) -> None:
        dropped = kernel_drops(self._socket)
        if dropped is not None:
            self._count("kernel", (dropped - self._kernel) % 2**32)
            self._kernel = dropped

    def _count(self, why: str, amount: int) -> None:
        if amount:
            self._supply.accounts.count(
                "tailrace_datagrams_dropped_total", _DROPPED, amount, receiver=self._name, why=why
            )


def kernel_drops(sock: socket.socket) -> int | None:
    """Return how many datagrams the kernel dropped for this socket, modulo 2**32; None where it does not tell."""
    size = struct.calcsize(_MEMINFO_FORMAT)
    try:
        told = sock.getsockopt(socket.SOL_SOCKET, _MEMINFO, size)
    except OSError:  # not Linux, or an old one
        return None
    return int(struct.unpack(_MEMINFO_FORMAT, told)[-1]) if len(told) == size else None


def _enlarge(sock: socket.socket, size: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, size)
    except OSError:  # not ours to force: as much as everybody may have
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
