"""End a call when its time is over, whatever the other side does: time limits of sockets are for each piece of a talk.

A service that sends a byte each second would else hold its caller for ever.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Cut:
    """Shuts the sockets of a call down after so many seconds, unless it is over before: `with Cut(10.0) as cut:`."""

    def __init__(self, after_s: float) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(after_s, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Begin to count."""
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go: the sockets are their owner's again."""
        self._timer.cancel()
        with self._lock:
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    def watch(self, one: socket.socket) -> None:
        """Shut this down too, also after TLS took it over: a copy stands for the same connection."""
        with self._lock:
            self._sockets.append(one.dup())
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):  # it is closed already
                    one.shutdown(socket.SHUT_RDWR)
