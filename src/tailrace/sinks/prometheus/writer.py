"""Write all metrics to a receiver of remote write, at fixed times, in order.

Comes in: what tells all metrics (`Accounts.families`). Goes out: requests of at most `SERIES` series, oldest first; one
that cannot be delivered now waits, and what comes after it waits behind it. A series that is gone, and every one when
the program stops, ends with a stale marker. What the receiver refuses for good, and what waits beyond the bound, is
given up and counted: a later value of the same series takes its place.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.errors import TransientError
from tailrace.sinks.delivery import LaterError, RefusedError
from tailrace.sinks.prometheus.encode import STALE, request, samples
from tailrace.sinks.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.exposition import Family
    from tailrace.sinks.prometheus.encode import Labels, Sample
    from tailrace.sinks.prometheus.settings import PrometheusSettings

SERIES: Final = 2_000
"""Series of one request, as Prometheus itself sends."""

CLOSE_S: Final = 2.0
"""How long a stop waits for the last values and markers to be delivered."""

_PAUSE_S: Final = (0.5, 30.0)  # between attempts, first and longest
_PATH: Final = "/api/v1/write"
_HEADERS: Final = {
    "1.0": {"Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"},
    "2.0": {
        "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "X-Prometheus-Remote-Write-Version": "2.0.0",
    },
}
_WRITTEN: Final = "X-Prometheus-Remote-Write-Samples-Written"
_MS: Final = NS_PER_S // 1_000
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Body:
    data: bytes
    samples: int


class RemoteWriter:
    """Writes to one receiver; owns one thread between `start` and `close`."""

    def __init__(
        self, settings: PrometheusSettings, host: str, families: Callable[[], Sequence[Family]], clock: Clock
    ) -> None:
        self._settings = settings
        self._labels = {"job": "tailrace", "instance": host, **settings.labels}
        self._families = families
        self._clock = clock
        self._service = Service(settings, clock)
        self._path = _PATH if settings.url.count("/") == 2 else ""  # noqa: PLR2004  a bare address
        self._headers = {**_HEADERS[settings.version], "Content-Encoding": "snappy"}
        self._queue: deque[_Body] = deque()
        self._known: dict[Labels, Sample] = {}
        self._last_ms = 0
        self._pause_s = _PAUSE_S[0]
        self._counts = {"sent": 0, "given_up": 0, "waiting": 0}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"sink-{settings.name}", daemon=True)

    @property
    def counters(self) -> Mapping[str, int]:
        """Samples that were sent, given up, and that wait."""
        return dict(self._counts)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Write the last values and that all series end, for a bounded time."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S + self._settings.timeout_s)
        self._service.close()

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        due_s = again_s = self._clock.monotonic_s()
        while not self._stopping.is_set():
            now_s = self._clock.monotonic_s()
            if now_s >= due_s:
                self.collect()
                due_s = max(due_s + self._settings.interval_s, now_s)
            if now_s >= again_s:
                again_s = now_s + self.deliver()
            wanted_s = min(due_s, again_s) if self._queue else due_s
            self._clock.wait(self._stopping, max(0.0, wanted_s - self._clock.monotonic_s()))
        self.collect(final=True)
        end_s = self._clock.monotonic_s() + CLOSE_S
        while self._queue and self._clock.monotonic_s() < end_s:
            pause_s = self.deliver()
            if self._queue:
                self._clock.wait(threading.Event(), min(pause_s, 0.5))

    def collect(self, *, final: bool = False) -> None:
        """Take all values of now into the queue; with `final` say after them that every series ends."""
        found = samples(self._families(), self._labels)
        gone = [replace(one, value=STALE) for labels, one in self._known.items() if labels not in found]
        self._put([*found.values(), *gone])
        self._known = found
        if final:
            self._put([replace(one, value=STALE) for one in found.values()])

    def deliver(self) -> float:
        """Send what waits until something fails; returns after how many seconds to go on."""
        while self._queue:
            body = self._queue[0]
            try:
                self._post(body)
            except TransientError as error:
                asked_s = error.after_s if isinstance(error, LaterError) else 0.0
                pause_s, self._pause_s = max(self._pause_s, asked_s), min(2 * self._pause_s, _PAUSE_S[1])
                _LOGGER.warning("sink %s: %s; trying again in %.1f s", self._settings.name, error, pause_s)
                return pause_s
            except RefusedError as error:
                self._give_up(body.samples, str(error))
            else:
                self._counts["sent"] += body.samples
            self._pause_s = _PAUSE_S[0]
            self._queue.popleft()
            self._counts["waiting"] -= body.samples
        return 0.0

    def _put(self, found: Sequence[Sample]) -> None:
        """Queue samples under one time, which is later than any before."""
        self._last_ms = max(self._clock.now_ns() // _MS, self._last_ms + 1)
        for start in range(0, len(found), SERIES):
            part = found[start : start + SERIES]
            self._queue.append(_Body(request(part, self._last_ms, self._settings.version), len(part)))
            self._counts["waiting"] += len(part)
        lost = 0
        while sum(len(body.data) for body in self._queue) > self._settings.queue_bytes and len(self._queue) > 1:
            lost += self._queue.popleft().samples
        if lost:
            self._counts["waiting"] -= lost
            self._give_up(lost, "the receiver is away for too long")

    def _post(self, body: _Body) -> None:
        try:
            answer = self._service.request("POST", self._path, body.data, self._headers)
        except RefusedError as error:
            if "answered 415" in str(error):
                raise TransientError(f"{error} (the receiver does not know version {self._settings.version})") from None
            raise
        if self._settings.version == "2.0" and _WRITTEN not in answer.headers:
            raise TransientError(f"{self._settings.url}: does not know version 2.0: write 'version: \"1.0\"'")

    def _give_up(self, count: int, why: str) -> None:
        self._counts["given_up"] += count
        _LOGGER.warning("sink %s: %d samples are given up: %s", self._settings.name, count, why)
