"""Rows of receivers whose senders get no answer: gathered into turns, made durable however long that takes.

Comes in: what connections and sockets received, each with its `Hold`, from any thread. Goes out: batches to the sink,
one per turn; the holds are given back when their rows are durable, so a store that stands still fills the gate, and
the gate stops the reading. A batch that fails for a while is submitted again, with pauses, for as long as it takes: no
sender would send it anew. One that can never be stored is tried without its fields; if that fails too, it is counted
and said. What is received is made into rows in one thread, in the order in which it came.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import polars as pl

from tailrace import limits
from tailrace.batch import Batch
from tailrace.errors import TransientError
from tailrace.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.intake.gate import Hold
    from tailrace.intake.listeners import Supply
    from tailrace.telemetry import Outcome

GATHER_S: Final = 0.1
"""How long more is waited for once something came: each turn costs some milliseconds, however few its rows are."""

AT_ONCE: Final = 8
"""Turns of one receiver that may wait for their commit; with more of them, what is received waits in its own form."""

FAILED: Final = "ReceiverFailure"
"""`_error` of rows whose fields could not be stored, or not be read: a bug, and no reason to lose them."""

_LOGGER: Final = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Taken(Generic[T]):
    received: T
    hold: Hold
    then: Callable[[bool], None] | None


@dataclass(slots=True)
class _Sent:
    frame: pl.DataFrame
    ends: Sequence[tuple[Hold, Callable[[bool], None] | None]]
    bytes: int
    done: Future[None] | None  # None: it could not be submitted
    bare: bool = False  # whether its fields were left out


class Turns(Generic[T]):
    """Takes what was received; owns one thread. `make` makes the rows of a turn, `plain` what is left if that fails."""

    def __init__(
        self,
        name: str,
        supply: Supply,
        make: Callable[[Sequence[T]], pl.DataFrame],
        plain: Callable[[Sequence[T]], pl.DataFrame],
    ) -> None:
        self._name = name
        self._supply = supply
        self._make = make
        self._plain = plain
        self._patience = Patience(supply.clock)
        self._changed = threading.Condition()
        self._waiting: deque[_Taken[T]] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"turns-{name}", daemon=True)

    def start(self) -> None:
        """Begin to make rows."""
        self._thread.start()

    def add(self, received: T, hold: Hold, then: Callable[[bool], None] | None = None) -> None:
        """Take something; from any thread, never blocks. Its hold is given back when its rows are durable.

        `then` is called after that, in the thread of the turns: with False if they were given up.
        """
        with self._changed:
            self._waiting.append(_Taken(received, hold, then))
            self._waiting_bytes += hold.size
            self._changed.notify_all()

    def close(self, timeout_s: float = limits.DRAIN_S) -> None:
        """Make durable what was taken, then stop; what is not durable by then is given up, counted and said."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s / 2)
            self._patience.hurry()
            self._thread.join(timeout_s / 2)

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        sent: deque[_Sent] = deque()
        while True:
            turn = self._next(wait=not sent)
            if turn:
                sent.append(self._send(turn))
            elif not sent:
                return
            while sent and (len(sent) >= AT_ONCE or not turn or _is_done(sent[0])):
                self._settle(sent.popleft())
                if self._has_news():
                    break

    def _has_news(self) -> bool:
        with self._changed:
            return bool(self._waiting)

    def _next(self, *, wait: bool) -> list[_Taken[T]]:
        """Return what came, at most about one turn's bytes; nothing if nothing is there, or nothing will come."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._waiting and not self._closing:
                self._changed.wait_for(self._is_full, GATHER_S)
            turn: list[_Taken[T]] = []
            size = 0
            while self._waiting and size < limits.READ_TURN_BYTES:
                turn.append(self._waiting.popleft())
                size += turn[-1].hold.size
            self._waiting_bytes -= size
            return turn

    def _is_full(self) -> bool:
        return self._waiting_bytes >= limits.READ_TURN_BYTES or self._closing

    def _send(self, turn: Sequence[_Taken[T]]) -> _Sent:
        received = [taken.received for taken in turn]
        try:
            frame = self._make(received)
        except Exception:
            _LOGGER.exception("%s: a turn could not be read; its lines are stored as they came", self._name)
            frame = self._plain(received)
        size = int(frame["_line"].str.len_bytes().sum())
        self._supply.accounts.read(self._name, frame.height, size)
        sent = _Sent(frame, [(taken.hold, taken.then) for taken in turn], size, None)
        self._submit(sent)
        return sent

    def _submit(self, sent: _Sent) -> None:
        try:
            sent.done = self._supply.sink.submit(Batch(sent.frame, self._name, sent.frame.height, sent.bytes))
        except TransientError:
            sent.done = None  # tried again when its turn has come to be settled
        except Exception as error:  # noqa: BLE001  a batch that is no good must not end the thread
            sent.done = Future()
            sent.done.set_exception(error)

    def _settle(self, sent: _Sent) -> None:
        """Wait until a turn is durable, and submit it again for as long as it is not."""
        stored = False
        try:
            stored = self._stored(sent)
        finally:
            outcome: Outcome = "stored" if stored else "rejected"
            self._supply.accounts.settle(self._name, outcome, sent.frame.height, sent.bytes)
            for hold, then in sent.ends:
                hold.release()
                if then is not None:
                    then(stored)

    def _stored(self, sent: _Sent) -> bool:
        for pause_s in self._patience.pauses():
            try:
                if sent.done is None:
                    self._submit(sent)
                if sent.done is not None:
                    sent.done.result()
                    return True
            except TransientError as error:
                _LOGGER.warning("%s: %s; trying again in %.1f s", self._name, error, pause_s)
            except Exception:
                _LOGGER.exception("%s: %d lines cannot be stored as they are", self._name, sent.frame.height)
                if sent.bare:
                    return False
                sent.frame, sent.bare = _bare(sent.frame), True
            sent.done = None
            self._patience.wait(pause_s)
        _LOGGER.error("%s: %d lines were not stored before the stop and are lost", self._name, sent.frame.height)
        return False


def _is_done(sent: _Sent) -> bool:
    return sent.done is None or sent.done.done()


def _bare(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows without their fields, each with `_error`."""
    return frame.select("_time_ns", "_observed_ns", "_stream", "_line").with_columns(_error=pl.lit(FAILED))
