"""Batches under way, in the order of their numbers: who is sent next, who is done, and how many fit.

Comes in: parcels, in their order, from one thread; answers, from those that send. Goes out: to each sender the first
parcel that nobody sends and whose time has come; to whoever waits for a batch, that it and all before it are durable.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.clock import Clock
    from tailrace.shipment import Heading

_LOOK_S: Final = 0.5  # how long a sender waits for a parcel whose time has not come before it looks again


@dataclass(slots=True, eq=False)
class Parcel:
    """A batch on its way; `settled` is told when it is durable."""

    heading: Heading
    body: bytes
    pauses: Iterator[float]  # between attempts that fail; at its end the sender gives up
    settled: Future[None] = field(default_factory=Future)
    taken: bool = False  # by a sender, or ended
    early: int = 0  # how often it came before the one that it follows
    not_before_s: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body)

    def emptied(self) -> Parcel:
        """Return the number without the rows, which no server takes: what follows needs it."""
        return replace(self, heading=replace(self.heading, lines=0, bytes=0), body=b"")


@dataclass(slots=True)
class Window:
    """The parcels under way; any thread may call."""

    clock: Clock
    most: int
    most_bytes: int
    hurried: Callable[[], bool] = bool  # whether nobody should wait any more
    _parcels: list[Parcel] = field(default_factory=list)
    _bytes: int = 0
    _closed: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def bytes(self) -> int:
        """Bytes that are held."""
        return self._bytes

    def put(self, parcel: Parcel) -> None:
        """Add a parcel; blocks while too many are under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._room(parcel))
            self._parcels.append(parcel)
            self._bytes += parcel.size
            self._changed.notify_all()

    def take(self) -> Parcel | None:
        """Return the next parcel to send; blocks until there is one. None when the window is closed and empty."""
        with self._changed:
            while self._parcels or not self._closed:
                now_s = self.clock.monotonic_s()
                idle = [one for one in self._parcels if not one.taken]
                for parcel in idle:
                    wait_s = parcel.not_before_s - now_s
                    if wait_s <= 0 or (wait_s > _LOOK_S and self.hurried()):
                        parcel.taken = True
                        return parcel
                soonest_s = min((one.not_before_s - now_s for one in idle), default=_LOOK_S)
                self._changed.wait(min(soonest_s, _LOOK_S))
        return None

    def first(self, parcel: Parcel) -> bool:
        """Tell whether nothing of the same agent is under way before a parcel."""
        with self._changed:
            return not any(
                one.heading.agent == parcel.heading.agent and one.heading.number < parcel.heading.number
                for one in self._parcels
            )

    def replace(self, old: Parcel, new: Parcel) -> None:
        """Let another parcel take the place of one, and be sent at once."""
        with self._changed:
            self._parcels = [new if one is old else one for one in self._parcels]
            self._bytes += new.size - old.size
            new.taken = False
            self._changed.notify_all()

    def again(self, parcel: Parcel, pause_s: float) -> None:
        """Let a parcel be sent once more, after a pause."""
        with self._changed:
            parcel.taken, parcel.not_before_s = False, self.clock.monotonic_s() + pause_s
            self._changed.notify_all()

    def done(self, agent: str, number: int) -> None:
        """Take all parcels of an agent up to a number as durable."""
        self._end(lambda one: one.heading.agent == agent and one.heading.number <= number, None)

    def fail(self, agent: str, error: Exception) -> None:
        """Give up what is under way of an agent; whoever waits for it learns why."""
        self._end(lambda one: one.heading.agent == agent, error)

    def close(self) -> None:
        """Let senders end when nothing is left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _end(self, which: Callable[[Parcel], bool], error: Exception | None) -> None:
        with self._changed:
            ended = [one for one in self._parcels if which(one)]
            self._parcels = [one for one in self._parcels if not which(one)]
            self._bytes -= sum(one.size for one in ended)
            for one in ended:  # in their order, and under the lock: that order is a promise
                one.taken = True
                if error is None:
                    one.settled.set_result(None)
                else:
                    one.settled.set_exception(error)
            self._changed.notify_all()

    def _room(self, parcel: Parcel) -> bool:
        if not self._parcels:
            return True
        return len(self._parcels) < self.most and self._bytes + parcel.size <= self.most_bytes
