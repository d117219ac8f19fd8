"""Several sinks behind one, each at its own pace: a receiver that is away stops nobody but itself.

Comes in: batches, in the order of each agent. A batch is first kept in the spool on disk, then goes to every sink. It
counts as durable when it lies in the spool and, if the table is one of the sinks, is stored there. The other sinks get
it when they can: in order, also after a crash, as the same batch with the same number, by which they know it again.
While more waits on disk than is allowed, `submit` blocks: reading waits, nothing is given up.

A batch that was pushed here, by a sender who waits for an answer and repeats what is not acknowledged, goes the other
way round: the table may refuse it, so it is kept for the others when it is stored. One without a position may come
twice to all of them when its sender repeats it after a crash.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tailrace.errors import DataError, TransientError
from tailrace.sinks.spool import came_from_afar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.batch import Batch
    from tailrace.contracts import Sink
    from tailrace.patience import Patience
    from tailrace.sinks.spool import Entry, Spool

PUSHED: Final = 4
"""Batches that were pushed here and wait to be kept for other sinks; the table has them, or is about to."""

IN_MEMORY: Final = 2
"""Newest batches of the spool that are kept in memory too, so that a sink that keeps pace need not read them back."""

_TABLE: Final = ""  # stands in `Entry.waiting` for the sink that stores: no sink has an empty name
_SLICE_S: Final = 0.2  # how long a submitter waits for space before it looks whether there is hurry
_LOGGER: Final = logging.getLogger(__name__)


class Fanout:
    """Implements `contracts.Sink` over a table's sink, if there is one, and others; owns a thread for each of those."""

    def __init__(
        self, table: Sink | None, others: Mapping[str, Sink], spool: Spool, *, limit_bytes: int, patience: Patience
    ) -> None:
        self._table = table
        self._others = others
        self._spool = spool
        self._limit_bytes = limit_bytes
        self._patience = patience.endless()
        self._changed = threading.Condition()
        self._writing = threading.Lock()  # one batch at a time goes to the disk, and in its order to the lanes
        self._ordering = threading.Lock()  # batches that are pushed are kept in the order in which the table got them
        self._pushed: queue.Queue[tuple[Batch, Future[None], Future[None]] | None] = queue.Queue(PUSHED)
        self._broken: BaseException | None = None
        self._closing = False
        self._lanes: dict[str, deque[Entry]] = {name: deque(spool.entries) for name in others}
        self._left = [entry for entry in spool.entries if not entry.pushed]  # that the table may not have
        for entry in spool.entries:
            entry.waiting = set(others) | (set() if table is None or entry.pushed else {_TABLE})
        self._threads = [
            threading.Thread(target=self._run, args=(name, sink), name=f"lane-{name}", daemon=True)
            for name, sink in others.items()
        ]
        self._keeper = threading.Thread(target=self._keep_pushed, name="fanout-keep", daemon=True)
        for thread in (*self._threads, self._keeper):
            thread.start()

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too much waits on disk, or for the table."""
        self._refuse()
        if self._table is not None and came_from_afar(batch.position):
            return self._submit_pushed(self._table, batch)
        with self._writing:
            self._store_left()
            self._wait_for_space()
            entry = self._keep(batch, set(self._others) | (set() if self._table is None else {_TABLE}))
            if self._table is None:
                done: Future[None] = Future()
                done.set_result(None)
                return done
            done = self._table.submit(batch)
        done.add_done_callback(lambda future: self._settle(entry, _TABLE, future))
        return done

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that is durable here: in the spool, or in the table.

        Other sinks are asked only where there is no table: one that is away would keep the agent from starting.
        """
        with self._changed:
            numbers = [self._spool.last_number(agent)]
        asked = self._others.values() if self._table is None else [self._table]
        numbers += [sink.last_number(agent) for sink in asked]
        return max((number for number in numbers if number is not None), default=None)

    def waiting(self) -> Mapping[str, int]:
        """Return how many bytes lie on disk for each sink but the table."""
        with self._changed:
            entries = self._spool.entries
            return {name: sum(one.bytes for one in entries if name in one.waiting) for name in self._others}

    def close(self) -> None:
        """Let every sink finish what it took, all at once; what waits on disk is for the next start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        sinks = [*self._others.values(), *([] if self._table is None else [self._table])]
        with ThreadPoolExecutor(len(sinks), thread_name_prefix="close") as pool:
            list(pool.map(lambda sink: sink.close(), sinks))
        self._pushed.put(None)
        self._keeper.join()
        for thread in self._threads:
            thread.join()

    # --- submitting -----------------------------------------------------------------------------

    def _submit_pushed(self, table: Sink, batch: Batch) -> Future[None]:
        """Take a batch whose sender waits: the table may refuse it, so it is stored before others get it."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()
        with self._ordering:
            self._raise()
            if self._full():  # waiting would have the sender repeat what the table has
                raise TransientError("too much waits on disk for sinks that are away; send the batch again later")
            if self._left:
                with self._writing:
                    self._store_left()
            self._pushed.put((batch, table.submit(batch), done))
        return done

    def _keep_pushed(self) -> None:
        """Keep for the other sinks what the table has taken; then its sender is told. In a thread of its own."""
        for batch, stored, done in iter(self._pushed.get, None):
            try:
                stored.result()
                with self._writing:
                    self._keep(batch, set(self._others))
            except Exception as error:  # noqa: BLE001  whatever it is, the sender learns of it and comes again
                done.set_exception(error)
            else:
                done.set_result(None)

    def _wait_for_space(self) -> None:
        """Wait while too much waits on disk; at a stop the last batches go there all the same."""
        with self._changed:
            while self._full() and not (self._patience.hurried or self._closing):
                self._raise()
                self._changed.wait(_SLICE_S)
            self._raise()

    def _keep(self, batch: Batch, waiting: set[str]) -> Entry:
        """Make a batch durable in the spool, and let the lanes know."""
        for pause_s in self._patience.pauses():
            try:
                entry = self._spool.put(batch)
            except TransientError as error:
                failure = error
                _LOGGER.warning("%s; trying again in %.1f s, nothing is lost", error, pause_s)
            else:
                break
            self._patience.wait(pause_s)
        else:
            raise failure
        with self._changed:
            entry.waiting = waiting
            for old in self._spool.entries[-IN_MEMORY - 1 : -IN_MEMORY]:  # each one falls behind the newest once
                old.held = None
            for lane in self._lanes.values():
                lane.append(entry)
            self._changed.notify_all()
        return entry

    def _raise(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _full(self) -> bool:
        return self._spool.bytes > self._limit_bytes

    def _refuse(self) -> None:
        if self._closing:
            raise TransientError("the sinks are closing; send the batch again after the restart")

    def _store_left(self) -> None:
        """Bring to the table what a crash kept from it, before anything newer."""
        while self._left and self._table is not None:
            entry = self._left[0]
            try:
                self._table.submit(self._load(entry)).result()
            except DataError as error:
                self._skip(entry, _TABLE, error)
            self._done(entry, _TABLE)
            del self._left[0]

    # --- the threads of the lanes ---------------------------------------------------------------

    def _run(self, name: str, sink: Sink) -> None:
        for entry in iter(lambda: self._next(name), None):
            try:
                batch = self._load(entry)
                future = sink.submit(batch)
            except DataError as error:
                self._skip(entry, name, error)
                self._done(entry, name)
                continue
            except TransientError:  # the sink is closing: the rest is for the next start
                return
            except Exception as error:  # noqa: BLE001  a bug: whoever submits next learns of it
                self._break(error)
                return
            del batch
            future.add_done_callback(self._settled(entry, name))

    def _load(self, entry: Entry) -> Batch:
        """Read a batch, for as long as that may yet succeed."""
        for pause_s in self._patience.pauses():
            try:
                return entry.load()
            except TransientError as error:
                failure = error
                _LOGGER.warning("%s; trying again in %.1f s, nothing is lost", error, pause_s)
            self._patience.wait(pause_s)
        raise failure

    def _skip(self, entry: Entry, name: str, error: DataError) -> None:
        _LOGGER.error("%s goes on without a batch, which is kept on disk: %s", name or "the table", error)
        entry.broken = True

    def _settled(self, entry: Entry, name: str) -> Callable[[Future[None]], None]:
        return lambda future: self._settle(entry, name, future)

    def _next(self, name: str) -> Entry | None:
        """Wait for the next batch of a lane; None when the program ends."""
        lane = self._lanes[name]
        with self._changed:
            self._changed.wait_for(lambda: bool(lane) or self._closing)
            if self._closing:
                return None
            return lane.popleft()

    def _settle(self, entry: Entry, name: str, future: Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            self._done(entry, name)
        elif name != _TABLE and not isinstance(error, TransientError) and error is not None:
            self._break(error)  # a failure that passes comes with a stop: the batch stays for the next start

    def _done(self, entry: Entry, name: str) -> None:
        with self._changed:
            entry.waiting.discard(name)
            if not entry.waiting:
                self._spool.remove(entry)
                self._changed.notify_all()

    def _break(self, error: BaseException) -> None:
        _LOGGER.error("a sink ended: %s", error)
        with self._changed:
            self._broken = error
            self._changed.notify_all()
