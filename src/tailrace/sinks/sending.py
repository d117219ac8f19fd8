"""The sink that sends: a bounded queue, one thread, patience, and a place for what is refused.

Comes in: batches, from any thread; a full queue blocks. Goes out: rows, in order, through a `Courier`; futures, when
the receiver has all rows of a batch (or they are set aside as dead letters) and its number is noted durably.

A failure that may pass is tried again with growing pauses, or after the time that the receiver asks for, while the
queue fills: reading waits, memory does not grow. What the receiver refuses is halved until the rows to blame stand
alone; those are set aside with the reason, the rest goes on. A stop ends the waiting: what is not delivered then is
not acknowledged.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

from tailrace import memory
from tailrace.batch import Position
from tailrace.errors import TransientError
from tailrace.sinks.dead_letters import DeadLetters
from tailrace.sinks.delivery import ROW, LaterError, RefusedError, Rows, one_line
from tailrace.sinks.numbers import Numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tailrace.batch import Batch
    from tailrace.sinks.around import Around
    from tailrace.sinks.delivery import Courier
    from tailrace.sinks.numbers import Remembers
    from tailrace.sinks.settings import QueueSettings

T = TypeVar("T")

CLOSE_S: Final = 5.0
"""How long a closing sink goes on to deliver what it took; and after that, for the request under way to end."""

REFUSALS: Final = 64
"""Requests refused in a row while rows are halved: a receiver that takes nothing at all is asked no further. A single
row among 100,000 is found by 17."""

LONGEST_PAUSE_S: Final = 300.0
"""The most that a receiver is left alone when it asks for time."""

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Taken:
    batch: Batch
    done: Future[None]


@dataclass(slots=True)
class _Refused:
    """Rows of one batch that are to be set aside, and how often in a row its receiver may still refuse."""

    rows: dict[int, str] = field(default_factory=dict)  # number in the batch: reason
    left: int = REFUSALS


class SendingSink:
    """Implements `contracts.Sink` over a courier; owns one thread."""

    def __init__(
        self, settings: QueueSettings, around: Around, courier: Courier, numbers: Remembers | None = None
    ) -> None:
        self._settings = settings
        self._clock = around.clock
        self._patience = around.patience.endless()
        self._courier = courier
        self._numbers: Remembers = numbers or Numbers(around.folder)
        self.dead_letters = DeadLetters(around.dead_letters, settings.dead_letter_bytes, around.clock)
        self._changed = threading.Condition()
        self._waiting: deque[_Taken] = deque()
        self._waiting_bytes = 0
        self._closing = False
        self._counters = {"sent": 0, "refused": 0, "waiting": 0, "retries": 0}
        self._failed: dict[str, Exception] = {}  # agents of which a batch failed, and why
        self._thread = threading.Thread(target=self._run, name=f"sink-{settings.name}", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too many bytes wait."""
        taken = _Taken(batch, Future())
        with self._changed:
            self._changed.wait_for(lambda: self._fits(batch) or self._closing)
            if self._closing:
                raise TransientError(f"the sink {self._settings.name!r} is closing; send the batch again afterwards")
            self._waiting.append(taken)
            self._waiting_bytes += _size(batch)
            self._counters["waiting"] += batch.frame.height
            self._changed.notify_all()
        return taken.done

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that is delivered, or None."""
        return self._numbers.last(agent)

    @property
    def counters(self) -> Mapping[str, int]:
        """Rows that were sent, refused and set aside, that wait; attempts that failed."""
        with self._changed:
            return dict(self._counters)

    def resend(self, rows: Rows) -> Mapping[int, str]:
        """Send rows that were set aside once more, in the calling thread of a program that submits nothing.

        Returns the places of those that are refused again, and why.
        """
        refused = _Refused()
        self._send_all(rows, refused)
        self._insist(lambda: self._numbers.note(None))
        places = {number: place for place, number in enumerate(rows.frame[ROW])}
        return {places[number]: why for number, why in refused.rows.items()}

    def close(self) -> None:
        """Deliver what was taken, for a bounded time; the futures of the rest fail."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._patience.hurry()
            self._thread.join(CLOSE_S)
        self._courier.close()

    def _fits(self, batch: Batch) -> bool:
        return not self._waiting or self._waiting_bytes + _size(batch) <= self._settings.queue_bytes

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            if taken.done.set_running_or_notify_cancel():
                self._settle(taken)
            with self._changed:
                self._waiting.popleft()
                self._waiting_bytes -= _size(taken.batch)
                self._counters["waiting"] -= taken.batch.frame.height
                self._changed.notify_all()
            del taken

    def _next(self) -> _Taken | None:
        """Wait for a batch, which stays in the queue until it is settled; None when all is done and closed."""
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._waiting) or self._closing, memory.QUIET_S):
                memory.give_back()
                self._changed.wait_for(lambda: bool(self._waiting) or self._closing)
            return self._waiting[0] if self._waiting else None

    def _settle(self, taken: _Taken) -> None:
        position = taken.batch.position
        try:
            if position is not None and position.agent in self._failed:
                raise self._failed[position.agent]  # noqa: TRY301  its number would cover the one that is missing
            if position is None or not self._insist(lambda: self._numbers.holds(position)):
                self._deliver(taken.batch)
                self._insist(lambda: self._numbers.note(position))
        except Exception as error:  # noqa: BLE001  whatever it is, the future learns of it
            with suppress(TransientError):
                self._numbers.undo()
            if position is not None:
                self._failed[position.agent] = error
            taken.done.set_exception(error)
        else:
            taken.done.set_result(None)

    def _deliver(self, batch: Batch) -> None:
        """Send all rows of a batch; set aside those that are refused."""
        position = batch.position or Position(f"pushed-{uuid.uuid4().hex}", 0)
        whole, refused = Rows(batch.frame.with_row_index(ROW), position), _Refused()
        self._send_all(whole, refused)
        if refused.rows:
            places = sorted(refused.rows)
            reasons = [refused.rows[place] for place in places]
            self._insist(lambda: self.dead_letters.put(whole.at(places), reasons))
            _LOGGER.warning("sink %s: %d rows are refused and set aside: %s; see 'tailrace dead-letters list'",
                            self._settings.name, len(places), one_line(reasons[0][:200]))  # fmt: skip
        self._count(sent=len(whole) - len(refused.rows), refused=len(refused.rows))

    def _send_all(self, rows: Rows, refused: _Refused) -> None:
        """Send rows in requests of bounded size."""
        start = 0
        for length in pieces(rows.frame, self._settings.batch_rows, self._settings.batch_bytes):
            refused.left = REFUSALS
            self._send(rows.part(start, length), refused)
            start += length

    def _send(self, rows: Rows, refused: _Refused) -> None:
        """Send rows until each of them is delivered or refused."""
        started_s, why = self._clock.monotonic_s(), ""
        for pause_s in self._patience.pauses():
            asked_s = 0.0
            try:
                sent = self._courier.send(rows)
            except RefusedError as error:
                self._halve(rows, refused, str(error))
                return
            except TransientError as error:
                why, asked_s = str(error), error.after_s if isinstance(error, LaterError) else 0.0
            else:
                refused.left = REFUSALS
                numbers = rows.frame[ROW]
                refused.rows.update({numbers[place]: reason for place, reason in sent.refused.items()})
                if not sent.again:
                    return
                places = sorted(sent.again)
                rows, why, asked_s = rows.at(places), sent.again[places[0]], sent.after_s
            why = one_line(why)
            self._count(retries=1)
            if self._settings.retry_s is not None and self._clock.monotonic_s() - started_s >= self._settings.retry_s:
                reason = f"not delivered within {self._settings.retry_s:g} s: {why}"
                refused.rows.update(dict.fromkeys(rows.frame[ROW], reason))
                return
            if self._patience.hurried:
                break
            pause_s = min(max(pause_s, asked_s), LONGEST_PAUSE_S)  # noqa: PLW2901  the receiver knows better
            _LOGGER.warning("sink %s: %s; trying again in %.1f s, nothing is lost", self._settings.name, why, pause_s)
            self._patience.wait(pause_s)
        raise TransientError(f"sink {self._settings.name}: {why}")

    def _halve(self, rows: Rows, refused: _Refused, why: str) -> None:
        refused.left -= 1
        if len(rows) <= 1 or refused.left <= 0:
            refused.rows.update(dict.fromkeys(rows.frame[ROW], why))
            return
        middle = len(rows) // 2
        self._send(rows.part(0, middle), refused)
        self._send(rows.part(middle), refused)

    def _insist(self, action: Callable[[], T]) -> T:
        """Do what a full disk, or a receiver that is away, may keep from happening."""
        for pause_s in self._patience.pauses():
            try:
                return action()
            except TransientError as error:
                failure = error
                _LOGGER.warning("sink %s: %s; trying again in %.1f s", self._settings.name, error, pause_s)
            self._patience.wait(pause_s)
        raise failure

    def _count(self, **amounts: int) -> None:
        with self._changed:
            for name, amount in amounts.items():
                self._counters[name] += amount


def pieces(frame: pl.DataFrame, most_rows: int, most_bytes: int) -> Iterator[int]:
    """Yield how many rows go into each request: so many, of lines and fields that take so much, but at least one.

    Fields are taken to be equally large in all rows.
    """
    if not frame.height:
        return
    lines = frame["_line"].str.len_bytes().fill_null(0).cast(pl.Int64)
    other = max(0, frame.estimated_size() - int(lines.sum())) // frame.height
    until, start = (lines + other).cum_sum(), 0
    while start < frame.height:
        before = until[start - 1] if start else 0
        end = int(until.search_sorted(before + most_bytes, side="right"))
        end = min(max(end, start + 1), start + most_rows, frame.height)
        yield end - start
        start = end


def _size(batch: Batch) -> int:
    """Return what a batch counts for in the queue; frames take about as much as the lines they were made of."""
    return max(batch.bytes, batch.frame.height)
