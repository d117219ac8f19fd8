"""Who reads next, and how much: fair between files, strictly in order within a stream.

A turn hands out at most its budget, in rounds over the files that are ready; each reads `READ_BLOCK_BYTES`,
or more when few are ready. A file of a stream is read only when those before it are at their end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import content, filestat
from tailrace.sources.tail.reader import Outcome
from tailrace.sources.tail.rotation import live_names
from tailrace.sources.tail.tracked import AWAY_QUIET_S

if TYPE_CHECKING:
    from tailrace.clock import Clock
    from tailrace.contracts import Block
    from tailrace.sources.tail.moves import Moves
    from tailrace.sources.tail.reader import Reader
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.tracked import Tracked

IDLE_CLOSE_S: Final = 60.0
"""A file that has not grown for this long gives its descriptor back."""

SHORT_QUIET_S: Final = 10.0
"""A compressed file that is cut short holds up its stream until it has not grown for this long."""

HOLD_S: Final = 3.0
"""A new file that begins like its live original is held back until it has not grown for this long."""

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
        self._held: dict[Tracked, float] = {}  # seeming copies, and when they were compared last

    def take(self, budget: int) -> list[Block]:
        """Read a share of every file that is ready, in rounds, until the budget is used up."""
        ready = self._roster.ready
        blocks: list[Block] = []
        left = budget
        while left > 0 and ready:
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
            if file.handle < 0 and self._reader.open(file) is Outcome.ABSENT:
                self._lose(file)

    def keep_time(self) -> None:
        """Make ready what is due: files that were rotated away, held back or in trouble; close idle ones."""
        now_s = self._clock.monotonic_s()
        for file in [f for f, due_s in self._later.items() if due_s <= now_s]:
            del self._later[file]
            if file.key in self._roster.files and file.original is None:
                self._roster.ready[file] = None
        for file in self._reader.nameless():
            if filestat.look(file.handle).size > file.size:
                self._roster.ready[file] = None
        for file in [f for f, since_s in self._held.items() if now_s - since_s >= HOLD_S]:
            self._compare(file, now_s)
        for file in self._reader.close_idle(now_s - IDLE_CLOSE_S):
            self._roster.gone(file, self._clock.now_ns())

    def waiting(self) -> bool:
        """Tell whether a file will be ready again without any news."""
        return bool(self._later)

    def next_due_s(self) -> float:
        """Return when `keep_time` has something to do, on the monotonic clock."""
        held = min(self._held.values(), default=float("inf")) + HOLD_S
        return min(min(self._later.values(), default=float("inf")), held)

    # --- one stream -----------------------------------------------------------------------------

    def _read(self, file: Tracked, size: int) -> list[Block]:
        """Read a file, or the one before it in its stream if that is not at its end."""
        first = self._roster.before(file)
        # Whether the file has begun is asked before the one before it is drained: what was written into
        # that one came earlier, so it is read earlier.
        if first is not None and not _begun(file):
            return []
        while first is not None:
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
        if self._follow and not file.text and self._seems_copy(file):
            return [], Outcome.END
        now_s = self._clock.monotonic_s()
        final = not self._follow or (file.away and now_s - file.grown_s >= AWAY_QUIET_S)
        quiet = 0 < self._partial_after_s <= now_s - file.grown_s
        reading = self._reader.read(file, size, self._clock.now_ns(), final=final, flush=quiet)
        if reading.grown:
            file.grown_s = now_s
        if reading.moved:
            self._roster.changed[file.key] = file
        if reading.outcome is Outcome.MORE:
            self._roster.ready[file] = None
        elif reading.outcome is Outcome.END:
            self._at_end(file, final=final or bool(file.packed))
        elif reading.outcome is Outcome.CHANGED:
            self._moves.renew(file)
        elif reading.outcome is Outcome.REFUSED:
            self._reader.close(file)
            self._roster.finish(file)
        elif reading.outcome is Outcome.ABSENT:
            self._lose(file)
        elif reading.outcome is Outcome.LATER:
            self._later[file] = now_s
        elif self._follow:  # in trouble
            self._later[file] = now_s + limits.RESCAN_S
        return reading.blocks, reading.outcome

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
        if file.packed or (old and not file.away and not file.waiting_bytes):
            self._reader.close(file)

    def _lose(self, file: Tracked) -> None:
        self._moves.lose(file)
        self.found_nowhere |= not self._moves.resolve(walked=False)

    # --- copies ---------------------------------------------------------------------------------

    def _seems_copy(self, file: Tracked) -> bool:
        """Hold a new file back that begins like the live file it may be a copy of.

        A log that is copied and then cut short is seen twice: if the copy were read, its lines would be stored twice.
        """
        if file.away or file.offset or file.no_copy:
            return False
        for path in live_names(file.path):
            live = self._roster.by_path.get(path)
            if live is None or live.original is not None or live.id.same(file.id):
                continue
            start, others = content.start_of(file.path), content.start_of(path)
            common = min(len(start), len(others))
            if start and (
                (live.head.length and live.head.fits(start)) or (common and start[:common] == others[:common])
            ):
                file.original = live
                self._held[file] = self._clock.monotonic_s()
                return True
        return False

    def _compare(self, file: Tracked, now_s: float) -> None:
        """Decide about a file that was held back: it is a copy, read already, or one of its own."""
        live, size = file.original, _size(file.path)
        if file.key not in self._roster.files or live is None:
            del self._held[file]  # it was found to be the rest of its original
        elif live.key not in self._roster.files or not content.same_content(file.path, live.path, size):
            del self._held[file]
            file.original, file.no_copy = None, True
            self._roster.ready[file] = None
        elif size != file.size:
            file.size = size
            self._held[file] = now_s
        else:
            del self._held[file]
            file.original = None
            content.jump(file, size)
            self._roster.finish(file)


def _begun(file: Tracked) -> bool:
    return _size(file.path if file.handle < 0 else file.handle) > 0


def _size(at: str | int) -> int:
    try:
        return filestat.look(at).size
    except OSError:
        return 0
