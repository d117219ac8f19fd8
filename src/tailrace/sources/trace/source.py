"""The source of traced system calls: documents, one a line, for the parser `json`.

Comes in: settings. Goes out: blocks. There is no position: what happened while nobody traced is not known, and what was
read is nowhere any more. Where tracing is not possible the reason is in the status, and it is tried again after a
growing pause.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from tailrace.contracts import Block, Followed, Origin, Reading
from tailrace.sources.trace.choose import NoTraceError, open_reader
from tailrace.sources.trace.documents import lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.sources.trace.reader import TraceReader
    from tailrace.sources.trace.settings import TraceSettings

BACK_OFF_S: Final = (1.0, 60.0)
"""First and longest pause before it is tried again; each is twice the last."""

EVENTS: Final = 20_000
"""Events of one reading: about 10 MiB of documents."""


class TraceSource:
    """Traces calls; implements `contracts.Source`."""

    def __init__(self, settings: TraceSettings, *, name: str, clock: Clock, host: str) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        labels = {"host": host, "source": name, "service_name": name, **settings.labels}
        self._origin = Origin("trace", labels, Reading("json"))
        self._offset = 0
        self._reader: TraceReader | None = None
        self._why = ""
        self._started: Callable[[], None] | None = None
        self._due_s = float("-inf")
        self._pause_s = BACK_OFF_S[0]

    def listen(self, started: Callable[[], None]) -> None:
        """Be told when calls are traced, or that they cannot be."""
        self._started = started

    def restore(self, state: Mapping[str, object]) -> None:
        """Begin; there is nothing to go back to."""

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:  # noqa: ARG002  a reading is bounded
        """Return the next events; waits for news up to `timeout_s`."""
        if self._reader is None and not self._start():
            self._clock.wait(threading.Event(), timeout_s)  # nobody sets it: to wait by the clock
            return []
        assert self._reader is not None
        data = lines(self._reader.read(timeout_s, EVENTS))
        if not data:
            return []
        block = Block(self._origin, self._offset, data, self._clock.now_ns())
        self._offset += len(data)
        return [block]

    def mark(self) -> Mapping[str, object]:
        """Return no position."""
        return {}

    @property
    def done(self) -> bool:
        """Never: it follows."""
        return False

    def backlog_bytes(self) -> int:
        """Return nothing: what waits in the kernel has no bytes yet."""
        return 0

    def status(self) -> Sequence[Followed]:
        """Return what is traced, or why not; nothing before it was tried."""
        if self._reader is None and not self._why:
            return []
        state = "unreadable" if self._reader is None else "following"
        why = self._why if self._reader is None else self._reader.wrong
        return [Followed(" ".join(self._settings.events), self._offset, self._offset, state, why)]

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what was seen, filtered, submitted, read and lost."""
        return {} if self._reader is None else {**self._reader.counters, "lost_events": self._reader.lost}

    def close(self) -> None:
        """Detach."""
        if self._reader is not None:
            self._reader.close()

    def _start(self) -> bool:
        """Begin to trace if it is time; tells whether it works."""
        now_s = self._clock.monotonic_s()
        if now_s < self._due_s:
            return False
        try:
            self._reader = open_reader(self._settings, self._clock)
        except NoTraceError as error:
            self._why = str(error)
            self._due_s = now_s + self._pause_s
            self._pause_s = min(2 * self._pause_s, BACK_OFF_S[1])
        if self._started is not None:
            self._started()
            self._started = None
        return self._reader is not None
