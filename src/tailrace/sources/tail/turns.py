"""Who reads next, and how much: fair between files, strictly in order within a stream.

A turn hands out at most its budget, in rounds over the files that are ready; each reads `READ_BLOCK_BYTES`,
or more when few are ready. A file of a stream is read only when those before it are at their end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import filestat
from tailrace.sources.tail.compressed import is_packed
from tailrace.sources.tail.copies import Copies
from tailrace.sources.tail.reader import Outcome
from tailrace.sources.tail.tracked import AWAY_QUIET_S
from tailrace.sources.tail.twins import SHORT_QUIET_S, Twins

if TYPE_CHECKING:
    from tailrace.clock import Clock
    from tailrace.contracts import Block
    from tailrace.sources.tail.moves import Moves
    from tailrace.sources.tail.reader import Reader
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.tracked import Tracked

IDLE_CLOSE_S: Final = 60.0
"""A file that has not grown for this long gives its descriptor back."""

_LARGE_BYTES: Final = 16 * limits.MIB  # a larger read is not faster, only harder on the allocator (measured)


class Turns:
    """Reads what is ready in a roster."""

    def __init__(
        self, roster: Roster, moves: Moves, reader: Reader, clock: Clock, *, follow: bool, partial_after_s: float
    ) -> None:
        self.found_nowhere = False  # a file was lost while reading: a full walk is needed
        self._roster = roster
        self._moves = moves
        self._reader = reader
        self._clock = clock
        self._follow = follow
        self._partial_after_s = partial_after_s
        self._later: dict[Tracked, float] = {}  # when a file is ready again without any news
        self._twins = Twins(roster, reader, clock, moves.arrivals.take_later_copies, follow=follow)
        self._closing: dict[Tracked, None] = {}  # deleted, and to be closed at their end
        self._copies = Copies(roster, clock)

    def take(self, budget: int) -> list[Block]:
        """Read a share of every file that is ready, in rounds, until the budget is used up."""
        ready = self._roster.ready
        blocks: list[Block] = []
        left = budget
        while left > 0 and ready and not self.found_nowhere:  # who comes next may depend on the file that was lost
            share = min(max(limits.READ_BLOCK_BYTES, left // len(ready)), _LARGE_BYTES)
            for file in list(ready):
                if left > 0 and file in ready:
                    del ready[file]
                    read = self._read(file, min(share, max(left, limits.READ_BLOCK_BYTES)))
                    left -= sum(len(block.data) for block in read)
                    blocks += read
        return blocks

    def open_ready(self) -> None:
        """Open the files that are ready: one that just appeared may lose its name before it is its turn."""
        for file in list(self._roster.ready)[: limits.OPEN_FILES // 2]:
            if file in self._roster.awaited:
                del self._roster.ready[file]
            elif file.handle < 0 and self._reader.open(file) is Outcome.ABSENT:
                self._lose(file)

    def keep_time(self) -> None:
        """Make ready what is due: files that were rotated away, held back or in trouble; close idle ones."""
        now_s = self._clock.monotonic_s()
        for file in [f for f, due_s in self._later.items() if due_s <= now_s]:
            del self._later[file]
            if file.key in self._roster.files and file.original is None:
                self._roster.ready[file] = None
        self._moves.give_up()
        self._hurry()
        for file in self._reader.nameless():
            if filestat.size_of(file.handle) > file.size:
                self._roster.ready[file] = None
        self._copies.settle()
        for file in self._reader.close_idle(now_s - IDLE_CLOSE_S):
            self._roster.gone(file, self._clock.now_ns())

    def _hurry(self) -> None:
        """Read the rest of deleted files first that keep too much of the disk, then close them."""
        overdue = self._reader.overdue(self._clock.now_ns() - round(limits.UNLINKED_S * 1e9))
        if overdue:
            self._closing = dict.fromkeys(overdue)
            others = [file for file in self._roster.ready if file not in self._closing]
            self._roster.ready.clear()
            self._roster.ready.update(dict.fromkeys([*overdue, *others]))

    def waiting(self) -> bool:
        """Tell whether a file will be ready again without any news."""
        return bool(self._later or self._roster.awaited)

    def next_due_s(self) -> float:
        """Return when `keep_time` has something to do, on the monotonic clock."""
        awaited = min(self._roster.awaited.values(), default=float("inf"))
        return min(min(self._later.values(), default=float("inf")), awaited, self._copies.next_due_s())

    # --- one stream -----------------------------------------------------------------------------

    def _read(self, file: Tracked, size: int) -> list[Block]:
        """Read a file, or the one before it in its stream if that is not at its end."""
        if file in self._roster.awaited or self._in_doubt(file) or self._has_earlier_copies(file):
            return []
        first = self._roster.before(file)
        if first is not None and not self._may_follow(file):
            return []
        while first is not None:
            if first in self._roster.awaited:
                self._later[file] = self._clock.monotonic_s() + AWAY_QUIET_S / 4
                return []
            blocks, outcome = self._read_one(first, size)
            if blocks:
                self._roster.ready[file] = None
                return blocks
            if not self._passed(first, outcome):
                wait_s = AWAY_QUIET_S / 4 if outcome is Outcome.END else 0.0
                self._later[file] = self._clock.monotonic_s() + wait_s
                return []
            first = self._roster.before(file)
        return self._read_one(file, size)[0]

    def _in_doubt(self, file: Tracked) -> bool:
        return is_packed(file.path) and self._in_question(file)

    def _has_earlier_copies(self, file: Tracked) -> bool:
        new = not (file.packed or file.offset or file.head.length or file.original or file.finished)
        if new and file.seen_empty and self._moves.arrivals.look_back(file):
            self._roster.ready[file] = None
            return True
        return False

    def _may_follow(self, file: Tracked) -> bool:
        """Tell whether a file that comes after another one has begun, and is still what it was.

        It is asked before the one before it is drained: what was written into that one came earlier, so it is read
        earlier.
        """
        if file.packed:
            self._reader.close(file)  # those whose turn it is may need its decompressor
        if self._held(file):
            return False
        known = file.head, file.proven
        if self._reader.unlike(file):
            self._moves.renew(file)
            return False
        if known != (file.head, file.proven):
            self._roster.changed[file.key] = file
        return _begun(file)

    def _held(self, file: Tracked) -> bool:
        return self._follow and not file.text and self._copies.hold(file)

    def _passed(self, first: Tracked, outcome: Outcome) -> bool:
        """Tell whether a file with successors is at its end; it may wait for the end of its last line."""
        if first.key not in self._roster.files or first.finished:
            return True
        at_end = outcome is Outcome.TROUBLE or (outcome is Outcome.END and not first.waiting_bytes)
        if outcome is Outcome.SHORT:
            at_end = not self._follow or self._clock.monotonic_s() - first.grown_s >= SHORT_QUIET_S
        if at_end:
            self._roster.finish(first)
        return at_end

    def _read_one(self, file: Tracked, size: int) -> tuple[list[Block], Outcome]:
        if self._held(file):
            return [], Outcome.END
        if file.packed and self._in_question(file):
            return [], Outcome.LATER
        now_s = self._clock.monotonic_s()
        quiet = file.away and now_s - file.grown_s >= AWAY_QUIET_S
        final = not self._follow or quiet or file in self._closing
        flush = 0 < self._partial_after_s <= now_s - file.grown_s
        reading = self._reader.read(file, size, self._clock.now_ns(), final=final, flush=flush)
        if reading.grown:
            file.grown_s = now_s
        if reading.moved:
            self._roster.changed[file.key] = file
        if reading.blocks and not (file.away or file.packed):
            self._moves.arrivals.note_copies(file)
        if reading.outcome is Outcome.END:
            self._at_end(file, final=final or bool(file.packed))
        else:
            self._go_on(file, reading.outcome)
        return reading.blocks, reading.outcome

    def _go_on(self, file: Tracked, outcome: Outcome) -> None:
        """Do what follows of a reading that did not come to the end."""
        if outcome is Outcome.MORE:
            self._roster.ready[file] = None
        elif outcome is Outcome.CHANGED:
            self._moves.renew(file)
        elif outcome is Outcome.REFUSED:
            self._reader.close(file)
            self._roster.finish(file)
        elif outcome is Outcome.ABSENT:
            self._lose(file)
        elif outcome is Outcome.LATER:
            self._later[file] = self._clock.monotonic_s()
        elif self._follow:  # in trouble
            self._roster.changed[file.key] = file  # with the size that was seen: should it be gone then, that is lost
            self._later[file] = self._clock.monotonic_s() + limits.RESCAN_S

    def _at_end(self, file: Tracked, *, final: bool) -> None:
        if (file.away or file.packed) and not file.finished:
            if final:
                self._roster.finish(file)
            else:
                self._later[file] = file.grown_s + AWAY_QUIET_S
        flush_s = file.grown_s + self._partial_after_s
        if file.waiting_bytes and not file.away and flush_s > self._clock.monotonic_s():
            self._later[file] = flush_s
        old = self._clock.now_ns() - file.mtime_ns > IDLE_CLOSE_S * 1e9
        if file in self._closing:
            del self._closing[file]
            self._reader.close(file)
            self._roster.gone(file, self._clock.now_ns())
        elif file.packed or (old and not file.away and not file.waiting_bytes):
            self._reader.close(file)

    def _lose(self, file: Tracked) -> None:
        self._moves.lose(file)
        self.found_nowhere |= not self._moves.resolve(walked=False)

    def _in_question(self, file: Tracked) -> bool:
        """Tell whether it must be found out yet what a compressed file is."""
        wait_s = self._twins.wait_s(file)
        if wait_s is not None and self._roster.files.get(file.key) is file and not file.finished:
            self._later[file] = self._clock.monotonic_s() + wait_s
        return wait_s is not None


def _begun(file: Tracked) -> bool:
    return filestat.size_of(file.path if file.handle < 0 else file.handle) > 0
