"""The sink that sends batches to servers: one thread packs, a few send, and the order is kept by the numbers.

Comes in: batches, through a queue of one (a full one blocks, which is the back-pressure). Goes out: futures, completed
in the order of submission per agent, when a server says that the table holds the batch. What an answer means:

- durable: done, and so is everything before it;
- it came too early, or there is no room: sent again, after what the server asks for;
- no answer, or trouble: sent again after a pause with jitter, to the next server;
- not for this token: the same, and said, since an operator can mend it;
- it can never be taken: its rows are set aside as a dead letter, its number goes on without them;
- another life of the same agent began: what is under way fails, see `sources.tail.checkpoint`.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import Position, life
from tailrace.errors import ConfigError, Problem, TailraceError, TransientError
from tailrace.shipment import AGENTS, BATCHES, Heading, pack, unpack
from tailrace.sinks.dead_letters import DeadLetters
from tailrace.sinks.delivery import ROW, Rows
from tailrace.sinks.ship.link import Answer, Link, trusted
from tailrace.sinks.ship.servers import Servers
from tailrace.sinks.ship.window import Parcel, Window

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tailrace.batch import Batch
    from tailrace.contracts import Fences
    from tailrace.sinks.around import Around
    from tailrace.sinks.ship.settings import ShipSettings

EARLY_S: Final = (0.02, 1.0)
"""First and longest pause of a batch that came before the one that it follows."""

LAG: Final = "tailrace_lag_bytes"
"""The gauge of what waits in an agent's sources, told to servers with each batch."""

_DURABLE, _CONFLICT, _BUSY = 200, 409, 429
_NEVER: Final = (400, 413)
_BARRED: Final = (401, 403)
_PUSHED: Final = "pushed"
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Taken:
    batch: Batch
    parcel: Parcel


class ShipSink:
    """Implements `contracts.Sink`, and `contracts.Begins`, over servers."""

    def __init__(self, settings: ShipSettings, around: Around) -> None:
        self._settings = settings
        self._patience = around.patience
        self._clock = around.clock
        self._accounts = around.accounts
        secure = any(server.startswith("https:") for server in settings.servers)
        self._tls = trusted(settings.tls) if secure else None
        self._servers = Servers(settings.servers)
        self._dead = DeadLetters(around.dead_letters, settings.dead_letter_bytes, around.clock)
        self._window = Window(around.clock, settings.under_way, settings.queue_bytes, lambda: around.patience.hurried)
        self._asking = threading.Lock()  # of the connection for questions
        self._last: dict[str, int] = {}  # of each agent the number before the next one
        self._pushed = Position(f"{around.agent}-{_PUSHED}-{uuid.uuid4().hex}", -1)
        self._given_up: dict[str, Exception] = {}  # agents of which nothing can be sent any more
        self._submitting = threading.Lock()
        self._closing = threading.Event()
        self._packing: queue.Queue[_Taken | None] = queue.Queue(limits.COMMIT_QUEUE)
        self._packer = threading.Thread(target=self._pack, name="ship-pack", daemon=True)
        self._senders = [
            threading.Thread(target=self._send, name=f"ship-{number}", daemon=True)
            for number in range(settings.under_way)
        ]
        for thread in (self._packer, *self._senders):
            thread.start()
        text = "Bytes of batches, as sent, that no server has yet."
        around.accounts.gauge("tailrace_ship_queue_bytes", text, lambda: [({}, float(self._window.bytes))])

    # --- what agents call -----------------------------------------------------------------------

    def begin(self, agent: str, fences: Fences) -> int | None:
        """Return the last number of an agent that the table holds, now that nothing of an earlier life can follow."""
        while True:
            held = self.last_number(agent)
            fence = fences.fence(held)
            heading = Heading(agent, fence.number, -1 if fence.after is None else fence.after)
            answer = self._insist("POST", BATCHES, heading)
            if answer.status == _DURABLE:
                self._last[agent] = fence.number
                return fences.meant(held)
            if answer.status != _CONFLICT:
                raise TransientError(f"{self._servers.current()}: {answer.status} {answer.why}")

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too many wait."""
        with self._submitting:
            if self._closing.is_set():
                raise TransientError(f"the sink {self._settings.name!r} is closing; send the batch again afterwards")
            position = batch.position or self._number()
            after = self._after(position)
            waits = max(0, int(self._accounts.total(LAG)) - batch.bytes)
            heading = Heading(position.agent, position.number, after, batch.source, batch.lines, batch.bytes, waits)
            parcel = Parcel(heading, b"", self._patience.pauses())
            self._last[position.agent] = position.number
            self._packing.put(_Taken(batch, parcel))
        return parcel.settled

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that the table of the servers holds, or None."""
        answer = self._insist("GET", f"{AGENTS}/{agent}")
        if answer.status != _DURABLE:
            raise TransientError(f"{self._servers.current()}: {answer.status} {answer.why}")
        return answer.held

    def close(self) -> None:
        """Send what was taken, unless there is hurry and no server answers; then stop."""
        self._closing.set()
        with self._submitting:  # behind whoever submits just now
            self._packing.put(None)
        self._packer.join()
        self._window.close()
        for thread in self._senders:
            thread.join()

    def _number(self) -> Position:
        """Return a number of our own for a batch that has none: it was pushed here, and its sender waits."""
        self._pushed = Position(self._pushed.agent, self._pushed.number + 1, self._pushed.number)
        return self._pushed

    def _after(self, position: Position) -> int:
        if position.after is not None:
            return position.after
        if position.agent not in self._last:
            held = self.last_number(position.agent)
            self._last[position.agent] = -1 if held is None else held
        return min(self._last[position.agent], position.number - 1)

    # --- packing --------------------------------------------------------------------------------

    def _pack(self) -> None:
        for taken in iter(self._packing.get, None):
            parcel, frame = taken.parcel, taken.batch.frame
            error = self._given_up.get(parcel.heading.agent)
            try:
                parcel.body = pack(frame) if frame.height else b""
            except Exception as failure:  # noqa: BLE001  whatever it is, the future learns of it
                error = error or failure
            if error is not None:
                parcel.settled.set_exception(error)
                continue
            del frame, taken
            self._window.put(parcel)

    # --- sending --------------------------------------------------------------------------------

    def _send(self) -> None:
        link: Link | None = None
        while (parcel := self._window.take()) is not None:
            server = self._servers.current()
            if link is None or link.server != server:
                if link is not None:
                    link.close()
                link = Link(server, self._settings, self._tls)
            try:
                answer = link.ask("POST", BATCHES, parcel.heading.headers(), parcel.body)
            except TransientError as error:
                self._failed(parcel, server, str(error))
            except Exception as error:  # a bug: it must not look as if the batch were on its way
                _LOGGER.exception("a batch cannot be sent")
                self._give_up(parcel, error)
            else:
                self._answered(parcel, server, answer)
        if link is not None:
            link.close()

    def _answered(self, parcel: Parcel, server: str, answer: Answer) -> None:
        heading = parcel.heading
        said = f"{server}: {answer.status} {answer.why}"
        if answer.status == _DURABLE:
            self._count("sent")
            self._window.done(heading.agent, heading.number)
        elif answer.status == _CONFLICT and answer.held is not None:
            self._conflict(parcel, server, answer.held, said)
        elif answer.status == _BUSY:
            self._count("busy")
            self._window.again(parcel, max(answer.retry_after_s, self._spread(EARLY_S[1])))
        elif answer.status in _NEVER:
            self._set_aside(parcel, said)
        else:
            hint = "; see to the token" if answer.status in _BARRED else ""
            self._failed(parcel, server, said + hint, answer.retry_after_s)

    def _conflict(self, parcel: Parcel, server: str, held: int, said: str) -> None:
        """Act on the number that the table holds, which is not the one that the batch follows."""
        heading = parcel.heading
        if held == heading.after:  # it is by now
            self._window.again(parcel, 0.0)
        elif life(held) > life(heading.number) or heading.after < held < heading.number:
            what = f"another program sends as agent {heading.agent}: the table holds number {held} of it"
            hint = "give each machine an agent folder of its own; a copy has to be removed"
            self._give_up(parcel, ConfigError([Problem(server, what, hint)]))
        elif held >= heading.number:
            self._window.done(heading.agent, heading.number)
        elif not self._window.first(parcel):
            self._count("early")
            parcel.early += 1
            self._window.again(parcel, self._spread(min(EARLY_S[0] * 2**parcel.early, EARLY_S[1])))
        elif parcel.early < limits.SHIP_EARLY:  # the answer to the one before has only just come
            parcel.early += 1
            self._window.again(parcel, self._spread(EARLY_S[0] * 2**parcel.early))
        else:
            self._failed(parcel, server, f"{said}; do all servers share one table, and is it still the same?")

    def _failed(self, parcel: Parcel, server: str, why: str, retry_after_s: float = 0.0) -> None:
        """Let a batch be sent once more, to the next server if there is one."""
        self._count("failed")
        pause_s = next(parcel.pauses, None)
        self._servers.failed(server, why)
        if pause_s is None:
            self._give_up(parcel, TransientError(why))
            return
        pause_s = max(pause_s, retry_after_s if self._servers.current() == server else 0.0)
        _LOGGER.warning("%s; trying again in %.1f s, nothing is lost", why, pause_s)
        self._window.again(parcel, pause_s)

    def _give_up(self, parcel: Parcel, error: Exception) -> None:
        """Fail what is under way of an agent: its numbers must not have a hole."""
        self._given_up[parcel.heading.agent] = error
        self._window.fail(parcel.heading.agent, error)

    def _set_aside(self, parcel: Parcel, why: str) -> None:
        """Keep rows that no server will take in a folder, and go on with their number alone."""
        heading = parcel.heading
        if not parcel.body:
            self._give_up(parcel, TailraceError(f"{why}: not even a batch without rows is taken"))
            return
        rows = unpack(parcel.body, limits.GIB).with_row_index(ROW).cast({ROW: pl.Int64})
        try:
            self._dead.put(Rows(rows, Position(heading.agent, heading.number)), [why] * rows.height)
        except TransientError as error:
            self._failed(parcel, self._servers.current(), str(error))
            return
        _LOGGER.error("%s; %d rows are set aside in %s", why, rows.height, self._dead.folder)
        self._count("set_aside")
        self._window.replace(parcel, parcel.emptied())

    # --- questions ------------------------------------------------------------------------------

    def _insist(self, method: str, path: str, heading: Heading | None = None) -> Answer:
        """Ask until a server answers something that is no trouble of its own; `TransientError` when there is hurry."""
        why = "no server answered"
        for pause_s in self._patience.pauses():
            server = self._servers.current()
            link = Link(server, self._settings, self._tls)
            try:
                answer = link.ask(method, path, heading.headers() if heading else None)
            except TransientError as error:
                why, wait_s = str(error), 0.0
            else:
                if answer.status in (_DURABLE, _CONFLICT):
                    return answer
                why, wait_s = f"{server}: {answer.status} {answer.why}", answer.retry_after_s
            finally:
                link.close()
            self._servers.failed(server, why)
            _LOGGER.warning("%s; trying again in %.1f s", why, max(pause_s, wait_s))
            self._patience.wait(max(pause_s, wait_s))
        raise TransientError(why)

    def _spread(self, pause_s: float) -> float:
        return pause_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads senders, hides nothing

    def _count(self, result: str) -> None:
        text = "Requests with batches, by what came of them."
        self._accounts.count("tailrace_ship_requests_total", text, 1, result=result)
