"""Time as a thing that is passed in, so that tests move it. Times are integers in nanoseconds, UTC."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import threading

NS_PER_S: Final = 1_000_000_000


class Clock(Protocol):
    """Tells time and waits.

    Must: `now_ns` is wall time, `monotonic_s` never steps back. May: jump. Must not: block
    anywhere but in `wait`.
    """

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that only moves forward."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until `event` is set or the time is over; tell whether it is set."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return Unix time in nanoseconds."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds on a clock that only moves forward."""
        return time.monotonic()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Wait until `event` is set or the time is over; tell whether it is set."""
        return event.wait(timeout_s)


class ManualClock:
    """A clock that stands still until a test moves it; waiting moves it too."""

    def __init__(self, now_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        self._now_ns = now_ns
        self._start_ns = now_ns

    def now_ns(self) -> int:
        """Return the time that was set."""
        return self._now_ns

    def monotonic_s(self) -> float:
        """Return the seconds since the clock was made."""
        return (self._now_ns - self._start_ns) / NS_PER_S

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Move by the timeout at once, unless the event is set."""
        if not event.is_set():
            self.advance(timeout_s)
        return event.is_set()

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self._now_ns += round(seconds * NS_PER_S)
