"""How far behind those are who push lines here.

Comes in: batches on their way to the sink. Goes out: the same batches, and for each kind of push how far behind it is.
Nobody who pushes says up to when its lines are complete. One whose lines are fresh when they come is trusted to bring
what is missing within `disorder_s`; one whose newest line is old when it comes has more to tell, and is behind by as
much. Lines that are older than rules wait at most are brought in later, and nobody waits for those. Who has not
pushed for so long is not waited for either.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from tailrace.alerts.evaluate.watermarks import Behind
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from tailrace.batch import Batch
    from tailrace.clock import Clock
    from tailrace.contracts import Sink

STREAMS: Final = 1000
"""Streams of one kind that are told apart; of more it counts as unknown which they are."""


@dataclass(slots=True)
class _Kind:
    """One way in: when it was used last, how old the newest line was then, and what is on its way."""

    last_s: float = 0.0
    age_s: float = 0.0
    under_way: dict[int, float] = field(default_factory=dict)
    streams: dict[str, float] = field(default_factory=dict)  # when each was pushed last


class Pushed:
    """A sink that passes everything on to another, and notes what was pushed. Any thread may call."""

    def __init__(self, sink: Sink, clock: Clock, *, disorder_s: float, wait_s: float) -> None:
        self._sink, self._clock = sink, clock
        self._disorder_s, self._wait_s = disorder_s, wait_s
        self._lock = threading.Lock()
        self._kinds: dict[str, _Kind] = {}
        self._number = 0

    def submit(self, batch: Batch) -> Future[None]:
        """Pass a batch on."""
        number = self._note(batch)
        try:
            future = self._sink.submit(batch)
        except BaseException:
            self._done(batch.source, number)
            raise
        future.add_done_callback(partial(self._settled, batch.source, number))
        return future

    def last_number(self, agent: str) -> int | None:
        """Return what the sink says."""
        return self._sink.last_number(agent)

    def close(self) -> None:
        """Close the sink."""
        self._sink.close()

    def behind(self) -> list[Behind]:
        """Return how far behind each kind of push is that was used lately."""
        now_s = self._clock.monotonic_s()
        with self._lock:
            return [
                Behind(name, self._seconds(kind, now_s), streams=self._streams(kind, now_s))
                for name, kind in self._kinds.items()
                if kind.under_way or now_s - kind.last_s < self._wait_s
            ]

    def _seconds(self, kind: _Kind, now_s: float) -> float:
        age_s = kind.age_s if kind.age_s <= self._wait_s else 0.0
        waits_s = now_s - min(kind.under_way.values(), default=now_s)
        return self._disorder_s + max(age_s, waits_s)

    def _streams(self, kind: _Kind, now_s: float) -> Sequence[str] | None:
        kind.streams = {stream: last_s for stream, last_s in kind.streams.items() if now_s - last_s < self._wait_s}
        return tuple(sorted(kind.streams)) if len(kind.streams) <= STREAMS else None

    def _note(self, batch: Batch) -> int:
        newest = batch.frame["_time_ns"].max()
        streams = batch.frame["_stream"].unique().to_list()
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        with self._lock:
            self._number += 1
            kind = self._kinds.setdefault(batch.source, _Kind())
            kind.last_s = now_s
            if isinstance(newest, int):
                kind.age_s = max(0.0, (now_ns - newest) / NS_PER_S)
            kind.under_way[self._number] = now_s
            kind.streams.update(dict.fromkeys(streams, now_s))
            return self._number

    def _settled(self, name: str, number: int, _done: Future[None]) -> None:
        self._done(name, number)

    def _done(self, name: str, number: int) -> None:
        with self._lock:
            self._kinds[name].under_way.pop(number, None)
