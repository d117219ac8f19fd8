"""Hold a new file back that begins like the live file it may be a copy of.

A log that is copied and then cut short is seen twice: if the copy were read, its lines would be stored twice. So it
waits until it does not grow any more; then it is a copy, and passed over, or a file of its own. The original may be cut
short meanwhile, even after more was written and read: so both are compared as soon as the copy is seen, and
whenever it has grown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import content, filestat
from tailrace.sources.tail.rotation import live_names

if TYPE_CHECKING:
    from tailrace.clock import Clock
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.tracked import Tracked

HOLD_S: Final = 3.0
"""A new file that begins like its live original is held back until it has not grown for this long."""

UNREADABLE_S: Final = 60.0
"""It is held back no longer than this because it or its original cannot be read at the moment."""


@dataclass(slots=True)
class _Held:
    """A seeming copy: since when it did not grow, and how much of it was seen to be equal to its original."""

    since_s: float
    until_s: float  # when it is decided even if one of the two cannot be read
    equal: int = 0
    size: int = 0


class Copies:
    """The files of one roster that are held back."""

    def __init__(self, roster: Roster, clock: Clock) -> None:
        self._roster = roster
        self._clock = clock
        self._held: dict[Tracked, _Held] = {}

    def hold(self, file: Tracked) -> bool:
        """Hold a file back if it seems to be a copy; tells whether it is held."""
        if file.original is not None:
            return True  # held back already, and rotated once more meanwhile
        if file.noted:
            return self._pass(file)
        if file.away or file.offset or file.no_copy:
            return False
        live = next((live for path in live_names(file.path) if (live := self._original(file, path)) is not None), None)
        if live is None:
            return False
        file.original = live
        self._roster.step_aside(file)  # the next copy does not wait for this one
        now_s = self._clock.monotonic_s()
        self._held[file] = _Held(now_s, now_s + UNREADABLE_S)
        if content.readable(live.path):
            self._look(file, live, self._held[file])
        return True

    def _pass(self, file: Tracked) -> bool:
        """Pass over what a copy got of the log that is there; tells whether that is all it has."""
        live, size = self._roster.by_path.get(file.name), filestat.size_of(file.path)
        file.noted = live is not None and size <= live.offset and content.same_content(file.path, live.path, size)
        if file.noted:
            content.jump(file, size)
            self._roster.changed[file.key] = file
        return file.noted

    def settle(self) -> None:
        """Decide about the files that were held back for long enough."""
        now_s = self._clock.monotonic_s()
        for file, held in list(self._held.items()):
            live = file.original
            if file.key not in self._roster.files or live is None:
                del self._held[file]  # it was found to be the rest of its original
                continue
            if file.packed or self._roster.by_path.get(file.path) is not file:
                del self._held[file]
                self._let_go(file)
                continue
            self._keep(file, live, held)
            if now_s < held.until_s and not (content.readable(file.path) and content.readable(live.path)):
                held.since_s = now_s  # not seen is not different
            elif self._look(file, live, held):
                held.since_s = now_s
            elif now_s - held.since_s >= HOLD_S:
                del self._held[file]
                self._decide(file, live, held)

    def _let_go(self, file: Tracked) -> None:
        """Leave a copy that was compressed or deleted meanwhile at what is known of it: nothing can be compared."""
        file.original = None
        if not file.gone_ns:
            self._roster.join(file)
            self._roster.ready[file] = None

    def next_due_s(self) -> float:
        """Return when `settle` has something to do, on the monotonic clock."""
        return min((held.since_s for held in self._held.values()), default=float("inf")) + HOLD_S

    def _original(self, file: Tracked, path: str) -> Tracked | None:
        live = self._roster.by_path.get(path)
        if live is None or live.original is not None or live.packed or live.id.same(file.id):
            return None
        start, others = content.start_of(file.path), content.start_of(path)
        common = min(len(start), len(others))
        alike = (live.head.length and live.head.fits(start)) or (common and start[:common] == others[:common])
        return live if start and alike else None

    def _look(self, file: Tracked, live: Tracked, held: _Held) -> bool:
        """Compare a file with its original, if it has another size than before; tells whether it has."""
        size = filestat.size_of(file.path)
        if size == held.size:
            return False
        held.size = size
        if self._is_there(live) and content.same_content(file.path, live.path, size):
            held.equal = size
        elif not content.readable(live.path):
            held.size = -1
        return True

    def _keep(self, file: Tracked, live: Tracked, held: _Held) -> None:
        """Let a copy be known as read as soon as its original is: it may be compressed or gone before it is decided."""
        if file.offset < held.equal == held.size <= live.offset and self._is_there(live):
            content.jump(file, held.equal)
            self._roster.changed[file.key] = file

    def _is_there(self, live: Tracked) -> bool:
        return live.key in self._roster.files

    def _decide(self, file: Tracked, live: Tracked, held: _Held) -> None:
        """Take a file as a copy, of which as much was read as of its original, or as one of its own."""
        there = self._is_there(live)
        if there and content.same_content(file.path, live.path, held.size):
            known = held.size
        elif there and content.same_content(file.path, live.path, held.equal):
            known = 0  # they went on differently
        else:
            known = min(held.equal, live.offset)  # the original is no more, or was cut short
        if known < held.size:  # a copy that was seen last when it was half done, and maybe within a line
            known = content.last_line_end(file.path, known, limits.LINE_BYTES, file.origin.encoding)
        file.original, file.no_copy = None, known == 0
        if known or file.offset:
            content.jump(file, known)
        if known == held.size:
            self._roster.finish(file)
        else:
            self._roster.join(file)
            self._roster.ready[file] = None
