"""The sink that stores: it groups batches and makes each group one durable commit of the table.

Comes in: batches, from any thread, through a short queue (a full one blocks, which is the
back-pressure). Goes out: futures completed after fsync, in the order of submission. The first batch after
a quiet time is committed at once, then there is at most one commit per interval, and a large group does not
wait. A `TransientError` is tried again for as long as it takes, with back-off; only batches without a
position, whose senders wait and will send again, are given back after `PATIENCE_S`. `patience` may set an end to
that: then the batches fail, and with them whoever sent them.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tailrace import limits, memory
from tailrace.errors import OutOfTurnError, TableError, TransientError
from tailrace.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.batch import Batch, Position
    from tailrace.clock import Clock

PATIENCE_S: Final = 5.0
"""How long a batch without a position is tried before its sender is told to send it again."""

_LOGGER: Final = logging.getLogger(__name__)


class Writable(Protocol):
    """What the sink needs of a table; `store.table.LogTable` is one."""

    def commit(self, batches: Sequence[Batch]) -> None:
        """Make rows visible, all or none; positions already held are left out."""
        ...

    def sync(self) -> None:
        """Make what is visible durable."""
        ...

    def last_number(self, agent: str) -> int | None:
        """Return an agent's last durable number."""
        ...


class Grouping(Protocol):
    """What the sink needs of the settings; `store.settings.StoreSettings` is one."""

    @property
    def commit_interval_s(self) -> float:
        """Shortest time between two small commits."""
        ...

    @property
    def retry_s(self) -> float | None:
        """How long a failing commit is tried again; None never gives up."""
        ...


@dataclass(frozen=True, slots=True)
class _Taken:
    batch: Batch
    done: Future[None]


class StoreSink:
    """Implements `contracts.Sink` over a table; owns one thread."""

    def __init__(self, table: Writable, *, clock: Clock, settings: Grouping, patience: Patience | None = None) -> None:
        self._table = table
        self._clock = clock
        self._interval_s = settings.commit_interval_s
        self._patience = patience or Patience(clock, settings.retry_s)
        self._changed = threading.Condition()
        self._waiting: deque[_Taken] = deque()
        self._news = threading.Event()  # something was submitted, or close was called
        self._closing = threading.Event()
        self._refused: dict[str, Exception] = {}  # agents of which a batch failed, and why
        self._last_commit_s = clock.monotonic_s() - self._interval_s
        self._thread = threading.Thread(target=self._run, name="store-sink", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too many wait."""
        taken = _Taken(batch, Future())
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < limits.COMMIT_QUEUE or self._closing.is_set())
            if self._closing.is_set():
                raise TransientError("the store is closing; send the batch again after the restart")
            self._waiting.append(taken)
        self._news.set()
        return taken.done

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that is durable here, or None."""
        return self._table.last_number(agent)

    def close(self) -> None:
        """Finish what was taken, then stop."""
        with self._changed:
            self._closing.set()
            self._changed.notify_all()
        self._patience.hurry()
        self._news.set()
        self._thread.join()

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while self._store(self._gather()):
            self._last_commit_s = self._clock.monotonic_s()

    def _store(self, group: list[_Taken]) -> bool:
        """Commit a group and acknowledge it; False for an empty one, after which the sink is done.

        The group lives in this call only: its rows are not kept in memory while the next ones are waited for.
        """
        ready = [taken for taken in group if taken.done.set_running_or_notify_cancel()]
        self._complete(self._commit([taken for taken in ready if not self._refuse(taken)]))
        return bool(group)

    def _gather(self) -> list[_Taken]:
        """Wait for the next group; an empty one means that the sink is closed and nothing is left."""
        group: list[_Taken] = []
        while True:
            self._news.clear()
            self._take(group)
            if self._closing.is_set() or _large(group):
                return group
            if not group:
                if not self._news.wait(memory.QUIET_S):
                    memory.give_back()
                    self._news.wait()
                continue
            left_s = self._last_commit_s + self._interval_s - self._clock.monotonic_s()
            if left_s <= 0:
                return group
            self._clock.wait(self._news, left_s)

    def _take(self, group: list[_Taken]) -> None:
        with self._changed:
            while self._waiting and not _large(group):
                group.append(self._waiting.popleft())
            self._changed.notify_all()

    def _commit(self, group: list[_Taken]) -> list[_Taken]:
        """Make the group visible; return what is, fail the futures of the rest."""
        started_s = self._clock.monotonic_s()
        for pause_s in self._patience.pauses():
            if not group:
                return []
            try:
                self._attempt(group)
            except TransientError as error:
                failure: Exception = error
                _LOGGER.warning("%s; trying again in %.1f s, nothing is lost", error, pause_s)
                if self._clock.monotonic_s() - started_s >= PATIENCE_S:
                    group = self._give_back(group, error)
            except Exception as error:  # noqa: BLE001  whatever it is, its futures learn of it
                return self._one_by_one(group, error)
            else:
                return group
            self._patience.wait(pause_s)
        self._fail(group, failure)
        return []

    def _attempt(self, group: list[_Taken]) -> None:
        """Make the group visible; batches that are out of turn leave it, and the others still share one commit."""
        while group:
            try:
                self._table.commit([taken.batch for taken in group])
            except OutOfTurnError as error:
                refused = [taken for taken in group if _is(taken.batch.position, error)]
                if not refused:
                    raise
                self._fail(refused, error)
                group[:] = [taken for taken in group if not _is(taken.batch.position, error)]
            else:
                return

    def _one_by_one(self, group: list[_Taken], error: Exception) -> list[_Taken]:
        """After a failure that no retry helps, find the batch that is to blame; the others are committed."""
        if len(group) > 1 and not isinstance(error, TableError):
            return [done for taken in group if not self._refuse(taken) for done in self._commit([taken])]
        self._fail(group, error)
        return []

    def _complete(self, group: Sequence[_Taken]) -> None:
        """Make what is visible durable, then acknowledge it."""
        if not group:
            return
        for pause_s in self._patience.pauses():
            try:
                self._table.sync()
            except TransientError as error:
                failure: Exception = error
                _LOGGER.warning("%s; trying again in %.1f s, nothing is lost", error, pause_s)
            except Exception as error:  # noqa: BLE001  as above
                self._fail(group, error)
                return
            else:
                for taken in group:
                    taken.done.set_result(None)
                return
            self._patience.wait(pause_s)
        self._fail(group, failure)

    def _give_back(self, group: list[_Taken], error: TransientError) -> list[_Taken]:
        self._fail([taken for taken in group if taken.batch.position is None], error)
        return [taken for taken in group if taken.batch.position is not None]

    def _refuse(self, taken: _Taken) -> bool:
        """Fail a batch whose agent had a batch fail before: its number would cover the one that is missing."""
        position = taken.batch.position
        error = self._refused.get(position.agent) if position else None
        if error is not None:
            taken.done.set_exception(error)
        return error is not None

    def _fail(self, group: Sequence[_Taken], error: Exception) -> None:
        for taken in group:
            position = taken.batch.position
            if position is not None and position.after is None:  # else the table itself refuses what follows
                self._refused[position.agent] = error
            taken.done.set_exception(error)


def _is(position: Position | None, refused: OutOfTurnError) -> bool:
    """Tell whether a position is the one that was refused."""
    named = (refused.agent, refused.number, refused.after)
    return position is not None and (position.agent, position.number, position.after) == named


def _large(group: Sequence[_Taken]) -> bool:
    rows = sum(taken.batch.frame.height for taken in group)
    return rows >= limits.COMMIT_ROWS or sum(taken.batch.bytes for taken in group) >= limits.COMMIT_BYTES
