"""Hold work to a rate: so many units a second, in a burst of a second at most. No thread, no sleep: the caller asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailrace.clock import Clock


class Pace:
    """Units that may be spent; they come back with time. A rate of 0 is none: everything may be spent."""

    def __init__(self, per_s: float, clock: Clock) -> None:
        self._per_s = per_s
        self._clock = clock
        self._left = per_s
        self._at_s = clock.monotonic_s()

    def allowed(self, wanted: int) -> int:
        """Return how many of the wanted units may be spent now."""
        if not self._per_s:
            return wanted
        now_s = self._clock.monotonic_s()
        self._left = min(self._per_s, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return max(0, min(wanted, int(self._left)))

    def spend(self, units: int) -> None:
        """Take units away; more than were allowed are paid for later."""
        if self._per_s:
            self._left -= units

    def wait_s(self) -> float:
        """Return the time until something may be spent again."""
        return max(0.0, (1.0 - self._left) / self._per_s) if self._per_s else 0.0
