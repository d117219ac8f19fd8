"""Hold a new file back that begins like the live file it may be a copy of.

A log that is copied and then cut short is seen twice: if the copy were read, its lines would be stored twice. So it
waits until it does not grow any more; then it is a copy, and passed over, or a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.sources.tail import content, filestat
from tailrace.sources.tail.rotation import live_names

if TYPE_CHECKING:
    from tailrace.clock import Clock
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.tracked import Tracked

HOLD_S: Final = 3.0
"""A new file that begins like its live original is held back until it has not grown for this long."""


class Copies:
    """The files of one roster that are held back."""

    def __init__(self, roster: Roster, clock: Clock) -> None:
        self._roster = roster
        self._clock = clock
        self._held: dict[Tracked, float] = {}  # seeming copies, and when they were compared last

    def hold(self, file: Tracked) -> bool:
        """Hold a file back if it seems to be a copy; tells whether it is held."""
        if file.away or file.offset or file.no_copy:
            return False
        live = next((live for path in live_names(file.path) if (live := self._original(file, path)) is not None), None)
        if live is None:
            return False
        file.original = live
        self._held[file] = self._clock.monotonic_s()
        return True

    def settle(self) -> None:
        """Decide about the files that were held back for long enough."""
        now_s = self._clock.monotonic_s()
        for file in [file for file, since_s in self._held.items() if now_s - since_s >= HOLD_S]:
            if self._compare(file):
                del self._held[file]
            else:
                self._held[file] = now_s

    def next_due_s(self) -> float:
        """Return when `settle` has something to do, on the monotonic clock."""
        return min(self._held.values(), default=float("inf")) + HOLD_S

    def _original(self, file: Tracked, path: str) -> Tracked | None:
        live = self._roster.by_path.get(path)
        if live is None or live.original is not None or live.packed or live.id.same(file.id):
            return None
        start, others = content.start_of(file.path), content.start_of(path)
        common = min(len(start), len(others))
        alike = (live.head.length and live.head.fits(start)) or (common and start[:common] == others[:common])
        return live if start and alike else None

    def _compare(self, file: Tracked) -> bool:
        """Decide about a file that was held back: it is a copy, read already, or one of its own; False if it grew."""
        live, size = file.original, filestat.size_of(file.path)
        if file.key not in self._roster.files or live is None:
            return True  # it was found to be the rest of its original
        if live.key not in self._roster.files or not content.same_content(file.path, live.path, size):
            file.original, file.no_copy = None, True
            self._roster.ready[file] = None
            return True
        if size != file.size:
            file.size = size
            return False
        file.original = None
        content.jump(file, size)
        self._roster.finish(file)
        return True
