"""Connections of the HTTP port: how many there may be, and how long one may take to say what it wants.

uvicorn waits for ever for the first request of a connection, and for the rest of one that began. Who opens many and
says nothing, or a byte a minute, would hold them all. Here a connection that has not said a whole head in time is
closed, and one beyond the bound at once. Heads are bounded in bytes by h11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_S: Final = 20.0
"""How long the head of a request may take, from the connection or its first byte on."""

HEAD_BYTES: Final = 64 * 1024
"""Bytes of a head: address and headers. Grafana's longest queries go into a body."""

CONNECTIONS: Final = 2_048
"""Open connections, each some tens of kilobytes; far below the files that systemd lets a service open."""


class PatientProtocol(H11Protocol):
    """HTTP over one connection, with bounds on patience."""

    _hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Take a connection, or close it when there are too many."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.abort()
            return
        self._hurry = self.loop.call_later(HEAD_S, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Read on; the time of a head ends with its last byte and begins with the first of the next one."""
        super().data_received(data)
        waiting = self.conn.their_state is h11.IDLE and not self.transport.is_closing()
        if not waiting:
            self._at_ease()
        elif self._hurry is None:
            self._hurry = self.loop.call_later(HEAD_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._at_ease()
        super().connection_lost(exc)

    def _at_ease(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None

    def _too_slow(self) -> None:
        self._hurry = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()
