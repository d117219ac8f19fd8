"""Up to when what a source reads is complete, in seconds behind now. Pure: it is shown how things stand, now and then.

At its start an agent finds what was written while it was away, and nobody knows how old that is: until a source came to
the end of it once, nothing is complete. It has when a reading found nothing, or when what waits is so little that the
source reads it within moments at its pace: a file that is written to at full speed is never at its end. A reader that
does not come back is behind since then.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.agent.lag import Late, Standing

PACE_S: Final = 2.0
"""What a source reads in this time is hardly waiting."""

BEAT_S: Final = 5.0
"""A reading comes back within this time, unless something is wrong."""


class CaughtUp:
    """Remembers which sources were at the end of what waited for them."""

    def __init__(self) -> None:
        self._first: dict[str, float] = {}  # the beat at the first look
        self._read: dict[str, tuple[float, int]] = {}  # when a source was looked at, and what it had read by then
        self._caught: set[str] = set()

    def behind(
        self, now_s: float, standings: Sequence[Standing], late: Sequence[Late], read_bytes: Callable[[str], int]
    ) -> dict[str, float]:
        """Return for each source how many seconds it is behind; infinitely many while that is not known."""
        names = {standing.source for standing in standings}
        self._caught &= names
        for known in (self._first, self._read):
            for name in known.keys() - names:
                del known[name]
        seconds = {one.source: one.seconds for one in late}
        return {one.source: self._one(now_s, one, seconds, read_bytes(one.source)) for one in standings}

    def _one(self, now_s: float, standing: Standing, seconds: dict[str, float], read: int) -> float:
        name = standing.source
        first_s = self._first.setdefault(name, standing.beat_s)
        before_s, before = self._read.get(name, (now_s, read))
        self._read[name] = now_s, read
        came_back = standing.beat_s != first_s
        pace = (read - before) / (now_s - before_s) if now_s > before_s else 0.0
        if came_back and (standing.idle or standing.backlog_bytes <= pace * PACE_S):
            self._caught.add(name)
        if name not in self._caught or name not in seconds:
            return math.inf
        silent_s = now_s - standing.beat_s
        return max(seconds[name], silent_s if silent_s > BEAT_S else 0.0)
