"""What all channels share: a bounded queue, and a thread that delivers from it.

Comes in: rows, from the agent's thread, which is never kept waiting. Goes out: the rows in order, through `deliver`.
A delivery that fails for now is tried again with growing pauses while the queue fills; what the queue cannot hold and
what can never be delivered is given up and counted.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLOSE_S: Final = 5.0
"""How long a closing channel goes on to deliver."""

_FIRST_PAUSE_S: Final = 0.2
_LAST_PAUSE_S: Final = 10.0
_LOGGER: Final = logging.getLogger(__name__)


class Outbox:
    """Implements `contracts.Channel` over a function that delivers rows, or raises."""

    def __init__(
        self, name: str, limit: int, deliver: Callable[[pl.DataFrame], None], stop: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self._limit = limit
        self._deliver = deliver
        self._stop = stop
        self._rows: deque[pl.DataFrame] = deque()
        self._waiting = 0
        self._sent = 0
        self._given_up = 0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"channel-{name}", daemon=True)
        self._thread.start()

    def send(self, rows: pl.DataFrame) -> None:
        """Take rows; the oldest that wait are given up if there are too many."""
        with self._changed:
            self._rows.append(rows)
            self._waiting += len(rows)
            while self._waiting > self._limit and len(self._rows) > 1:
                self._lose(len(self._rows.popleft()), "the channel is too slow")
            self._changed.notify()

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows that were delivered, given up, and that wait."""
        with self._changed:
            return {"sent": self._sent, "given_up": self._given_up, "waiting": self._waiting}

    def close(self) -> None:
        """Deliver what waits, for `CLOSE_S` at most."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self._thread.join(CLOSE_S)
        if self._stop is not None:
            self._stop()

    def _run(self) -> None:
        while (rows := self._next()) is not None:
            self._try(rows)

    def _next(self) -> pl.DataFrame | None:
        """Wait for rows and take all; None when the channel is closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._rows) or self._closing.is_set())
            if not self._rows:
                return None
            rows = list(self._rows)
            self._rows.clear()
        return rows[0] if len(rows) == 1 else pl.concat(rows, how="diagonal_relaxed")

    def _try(self, rows: pl.DataFrame) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                self._deliver(rows)
            except TransientError as error:
                _LOGGER.warning("channel %s: %s; trying again in %.1f s", self.name, error, pause_s)
                if self._closing.wait(pause_s):
                    self._end(rows, str(error))
                    return
                pause_s = min(2 * pause_s, _LAST_PAUSE_S)
            except Exception as error:  # noqa: BLE001  a channel never stops the agent
                self._end(rows, str(error))
                return
            else:
                with self._changed:
                    self._sent += len(rows)
                    self._waiting -= len(rows)
                return

    def _end(self, rows: pl.DataFrame, why: str) -> None:
        with self._changed:
            self._lose(len(rows), why)

    def _lose(self, rows: int, why: str) -> None:
        self._given_up += rows
        self._waiting -= rows
        _LOGGER.warning("channel %s: %d rows are given up: %s", self.name, rows, why)
