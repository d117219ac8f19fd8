"""Several sinks behind one: a batch goes to each of them, and is durable when all have it.

Comes in: batches, in the order of each agent. Goes out: one future per batch, completed in the order of submission and
failed when one sink failed.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.batch import Batch
    from tailrace.contracts import Sink


@dataclass(frozen=True, slots=True)
class _Sent:
    parts: Sequence[Future[None]]
    done: Future[None]


class Fanout:
    """Implements `contracts.Sink` over several."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._lock = threading.RLock()
        self._sent: deque[_Sent] = deque()

    def submit(self, batch: Batch) -> Future[None]:
        """Take a batch; blocks while too many wait for one of the sinks."""
        sent = _Sent([sink.submit(batch) for sink in self._sinks], Future())
        sent.done.set_running_or_notify_cancel()
        with self._lock:
            self._sent.append(sent)
        for part in sent.parts:
            part.add_done_callback(self._settle)
        return sent.done

    def last_number(self, agent: str) -> int | None:
        """Return the last number of an agent that is durable in every sink, or None."""
        numbers = [sink.last_number(agent) for sink in self._sinks]
        known = [number for number in numbers if number is not None]
        return min(known) if len(known) == len(numbers) else None

    def close(self) -> None:
        """Finish what was taken, then stop; all at once, so that none waits for another's slow receiver."""
        with ThreadPoolExecutor(len(self._sinks), thread_name_prefix="close") as pool:
            list(pool.map(lambda sink: sink.close(), self._sinks))

    def _settle(self, _part: Future[None]) -> None:
        with self._lock:
            while self._sent and all(part.done() for part in self._sent[0].parts):
                sent = self._sent.popleft()
                errors = [error for part in sent.parts if (error := part.exception()) is not None]
                if errors:
                    sent.done.set_exception(errors[0])
                else:
                    sent.done.set_result(None)
