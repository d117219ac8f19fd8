"""How far behind an agent is, and whether it moves at all. Pure: it is shown how things stand, now and then.

Behind are bytes that wait in files, and those that were read and are not durable. The seconds are counted from when the
oldest of these was read, or from when its source was first seen reading without coming to an end: they are at most too
large. The beginning of a line that has no end yet counts in bytes, not in seconds. A source is still when lines
are on their way and nothing becomes durable, or when its reading does not come back, whatever the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

STALLED_S: Final = 60.0
"""Time without progress after which something is wrong: a reading and a commit take seconds, even on a slow disk."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with a source."""

    source: str
    backlog_bytes: int  # in the files, unread
    pending_bytes: int  # read, not durable
    read_s: float | None  # when the oldest lines on their way were read, on the monotonic clock
    idle: bool  # its last reading found nothing
    beat_s: float  # when its last reading came back
    progress: int  # a number that rises with all that becomes durable


@dataclass(frozen=True, slots=True)
class Late:
    """How far behind a source is."""

    source: str
    bytes: int
    seconds: float
    still_s: float  # for how long there was no progress though there should be


class Lag:
    """Remembers since when each source is behind."""

    def __init__(self) -> None:
        self._behind_s: dict[str, float] = {}  # since when a backlog was seen
        self._moved: dict[str, tuple[int, float]] = {}  # progress, and when it was seen first

    def look(self, now_s: float, standings: Sequence[Standing]) -> list[Late]:
        """Return how far behind each source is, compared with the looks before."""
        names = {standing.source for standing in standings}
        for known in (self._behind_s, self._moved):
            for name in known.keys() - names:
                del known[name]
        return [self._late(now_s, standing) for standing in standings]

    def _late(self, now_s: float, standing: Standing) -> Late:
        name = standing.source
        if standing.idle or not standing.backlog_bytes:
            self._behind_s.pop(name, None)
        elif name not in self._behind_s:
            self._behind_s[name] = now_s
        if standing.read_s is None or self._moved.get(name, (-1, 0.0))[0] != standing.progress:
            self._moved[name] = standing.progress, now_s
        read_s = now_s if standing.read_s is None else standing.read_s
        since_s = min(self._behind_s.get(name, now_s), read_s)
        moved_s = min(max(self._moved[name][1], read_s), standing.beat_s)
        size = standing.backlog_bytes + standing.pending_bytes
        return Late(name, size, now_s - since_s, now_s - moved_s)
