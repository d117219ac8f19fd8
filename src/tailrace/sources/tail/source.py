"""The source of files: each turn looks at what may have changed, then reads a fair share of what is new.

A turn never reads more than its budget; files take turns of `READ_BLOCK_BYTES`, or larger ones when few
have something to read. Files of one stream are read strictly one after the other. Nothing here is durable:
`mark` tells what was handed out, and `restore` goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.contracts import Followed
from tailrace.sources.tail import content, filestat
from tailrace.sources.tail.discovery import Discovery
from tailrace.sources.tail.reader import Outcome, Reader
from tailrace.sources.tail.roster import Roster
from tailrace.sources.tail.tracked import AWAY_QUIET_S
from tailrace.sources.tail.watch import Watch

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Block
    from tailrace.sources.tail.settings import TailSettings
    from tailrace.sources.tail.tracked import Tracked

GATHER_S: Final = 0.1
"""After news the source waits so long before it reads: many small writes become one turn."""

IDLE_CLOSE_S: Final = 60.0
"""A file that has not grown for this long gives its descriptor back."""

FORGET_S: Final = 86_400.0
"""The state of a file that is gone is kept for this long: folders come back after a remount."""

HOLD_S: Final = 3.0
"""A file that begins like its live original is held back until it has not grown for this long."""

_SELF: Final = "@source"  # key of the source's own state


class TailSource:
    """Follows the files of one `TailSettings`; implements `contracts.Source`."""

    def __init__(
        self,
        settings: TailSettings,
        *,
        name: str,
        clock: Clock,
        host: str,
        events: bool = True,
        open_files: int = limits.OPEN_FILES,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        self._reader = Reader(settings.max_line_bytes, open_files)
        self._roster = Roster(settings, name=name, host=host, clock=clock, close=self._reader.close)
        self._discovery = Discovery(settings.paths, settings.exclude)
        self._watch = Watch(clock, events=events and settings.follow)
        self._later: dict[Tracked, float] = {}  # when to look at a file again
        self._started = False
        self._first_start_marked = False

    # --- position -------------------------------------------------------------------------------

    def restore(self, state: Mapping[str, object]) -> None:
        """Start from a position; a state that cannot be understood is left out, and its file read again."""
        for key, value in state.items():
            if key == _SELF:
                self._roster.first_start_ns = int(value["first_start_ns"]) if isinstance(value, dict) else 0
                self._first_start_marked = True
                continue
            try:
                self._roster.restore(key, value)
            except (KeyError, TypeError, ValueError):
                self._roster.changed[key] = None
        self._roster.settle_restored()

    def mark(self) -> Mapping[str, object]:
        """Return the changes of position since the last mark."""
        changed, self._roster.changed = self._roster.changed, {}
        marks: dict[str, object] = {
            key: None if file is None else file.state()
            for key, file in changed.items()
            if file is None or not (file.refused or file.original)
        }
        if not self._first_start_marked and self._started:
            marks[_SELF] = {"first_start_ns": self._roster.first_start_ns}
            self._first_start_marked = True
        return marks

    # --- reading --------------------------------------------------------------------------------

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return the next blocks, in order per file; waits for news up to `timeout_s`."""
        self._look()
        blocks = self._turn(min(budget_bytes, limits.READ_TURN_BYTES))
        if blocks or timeout_s <= 0 or self.done or self._roster.ready:
            return blocks
        due_s = min(self._later.values(), default=float("inf")) - self._clock.monotonic_s()
        self._watch.wait(max(0.0, min(timeout_s, due_s)))
        self._look()  # at once: a file that is about to vanish must be open before
        if self._roster.ready:
            self._watch.pause(min(GATHER_S, timeout_s))
            self._look()
        return self._turn(min(budget_bytes, limits.READ_TURN_BYTES))

    @property
    def done(self) -> bool:
        """Whether a one-shot source has read everything; never for one that follows."""
        return not self._settings.follow and self._started and not self._roster.ready

    def backlog_bytes(self) -> int:
        """Return the bytes known to wait in the files, unread."""
        return sum(file.waiting_bytes for file in list(self._roster.files.values()))

    def status(self) -> Sequence[Followed]:
        """Return what is followed, and what is not and why; any thread may ask."""
        files = [_followed(file) for file in list(self._roster.files.values()) if not file.gone_ns]
        refused = [Followed(path, 0, 0, "unreadable", why) for path, why in list(self._roster.refused.items())]
        folders = [Followed(path, 0, 0, "unreadable", why) for path, why in list(self._discovery.troubles.items())]
        return files + refused + folders

    @property
    def counters(self) -> Mapping[str, int]:
        """What happened that is no line: bytes that nobody can read any more, NULs of holes, open files."""
        return {
            "possibly_lost_bytes": self._roster.lost_bytes,
            "nul_bytes_skipped": self._reader.nul_bytes_skipped,
            "open_files": self._reader.open_files(),
        }

    def close(self) -> None:
        """Release files and watches."""
        self._reader.close_all()
        self._watch.close()

    # --- looking --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find out what may have changed."""
        if not self._started:
            self._started = True
            self._roster.first_start_ns = self._roster.first_start_ns or self._clock.now_ns()
            self._walk()
        elif self._settings.follow:
            paths, folders = self._watch.news()
            if self._watch.walk_due():
                self._walk()
            elif paths or folders:
                self._look_at(paths, folders)
            self._open_new()
            self._keep_time()

    def _walk(self) -> None:
        """Look at everything; finds what no event told."""
        self._watch.walked()
        seen: set[str] = set()
        for match in self._discovery.walk(self._watch.add):
            seen.add(match.path)
            self._look_at_match(match.path, match.found)
        for base in self._discovery.bases():
            self._watch.add_nearest(base)
        for path in self._roster.paths():
            if path not in seen:
                self._roster.look(path, matches=False)
        self._roster.resolve(walked=True)
        for file in self._roster.files.values():
            if file.real:
                self._watch.add_nearest(file.real.rpartition("/")[0])
        self._roster.forget(self._clock.now_ns() - round(FORGET_S * 1e9))

    def _look_at_match(self, path: str, found: os.stat_result | None) -> bool:
        if found is not None and self._roster.unchanged(path, found):
            return False
        self._roster.look(path, matches=True)
        return True

    def _look_at(self, paths: set[str], folders: set[str]) -> None:
        changed = False
        for folder in folders:
            if self._watch.is_polled(folder):
                changed |= self._list_again(folder)
            else:
                for match in self._discovery.walk_below(folder, self._watch.add):
                    self._look_at_match(match.path, match.found)
                if not self._discovery.entered(folder):
                    self._watch.walk_soon()
        self._watch.polled_changed(changed=changed or bool(self._roster.ready))
        for path in paths:
            self._look_at_path(path)
        if not self._roster.resolve(walked=False):
            self._walk()

    def _look_at_path(self, path: str) -> None:
        linked = self._roster.at_real(path)
        if linked is not None:
            self._roster.look(linked.path, matches=linked.path == linked.name)
        matches = self._discovery.takes(path)
        if matches or self._roster.at(path) is not None:
            self._roster.look(path, matches=matches)

    def _list_again(self, folder: str) -> bool:
        before = set(self._roster.paths_in(folder))
        changed = False
        for match in self._discovery.walk_again(folder, self._watch.add):
            before.discard(match.path)
            changed |= self._look_at_match(match.path, match.found)
        for path in before:
            self._look_at_path(path)
        return changed

    def _open_new(self) -> None:
        """Open files at once that just appeared: they may lose their name before it is their turn."""
        for file in list(self._roster.ready)[: limits.OPEN_FILES // 2]:
            if file.handle < 0 and self._reader.open(file) is Outcome.ABSENT:
                self._roster.lose(file)
                self._roster.resolve(walked=False)

    def _keep_time(self) -> None:
        """Do what is due: files that were rotated away, held back, in trouble or idle."""
        now_s = self._clock.monotonic_s()
        for file, due_s in list(self._later.items()):
            if due_s <= now_s:
                del self._later[file]
                if file.key in self._roster.files and not file.original:
                    self._roster.ready[file] = None
        for file in self._reader.nameless():
            if filestat.look(file.handle).size > file.size:
                self._roster.ready[file] = None
        for file, since_s in list(self._roster.held.items()):
            self._decide_held(file, since_s, now_s)
        for file in self._reader.close_idle(now_s - IDLE_CLOSE_S):
            self._roster.vanish(file)

    def _decide_held(self, file: Tracked, since_s: float, now_s: float) -> None:
        found = _stat(file.path)
        if found is None:
            return
        if found.size != file.size:
            file.size = found.size
            self._roster.held[file] = now_s
        elif now_s - since_s >= HOLD_S:
            self._roster.release(file, is_copy=content.same_content(file.path, file.original, found.size))

    # --- turns ----------------------------------------------------------------------------------

    def _turn(self, budget: int) -> list[Block]:
        """Read a share of every file that has something, in rounds, until the budget is used up."""
        blocks: list[Block] = []
        left = budget
        while left > 0 and self._roster.ready:
            share = max(limits.READ_BLOCK_BYTES, left // len(self._roster.ready))
            for file in list(self._roster.ready):
                if left <= 0:
                    break
                if file not in self._roster.ready:
                    continue
                del self._roster.ready[file]
                read = self._read(file, min(share, max(left, limits.READ_BLOCK_BYTES)))
                left -= sum(len(block.data) for block in read)
                blocks += read
        return blocks

    def _read(self, file: Tracked, size: int) -> list[Block]:
        """Read a file, or the one before it in its stream if that is not at its end."""
        first = self._roster.before(file)
        while first is not None and self._begun(file):
            blocks, passed = self._drain(first, size)
            if blocks:
                self._roster.ready[file] = None
                return blocks
            if not passed:
                self._later[file] = self._clock.monotonic_s() + AWAY_QUIET_S / 4
                return []
            first = self._roster.before(file)
        return [] if first is not None else self._read_one(file, size)

    def _begun(self, file: Tracked) -> bool:
        """Tell whether there is anything in a file; seen before the file before it is drained, or order is lost."""
        found = _stat(file.path if file.handle < 0 else file.handle)
        return found is not None and found.size > 0

    def _drain(self, file: Tracked, size: int) -> tuple[list[Block], bool]:
        """Read on in a file that has successors; tells whether they may be read now."""
        blocks = self._read_one(file, size)
        if blocks or file not in self._roster.files.values():
            return blocks, False
        if file.finished:
            return [], True
        if file.trouble or file.waiting_bytes == 0 or not self._readable(file):
            self._roster.finish(file)
            return [], True
        return [], False

    def _readable(self, file: Tracked) -> bool:
        return file.handle >= 0 or not file.gone_ns

    def _read_one(self, file: Tracked, size: int) -> list[Block]:
        if not file.text and not file.offset and self._roster.seems_copy(file):
            return []
        now_s = self._clock.monotonic_s()
        quiet = file.away and now_s - file.grown_s >= AWAY_QUIET_S
        final = not self._settings.follow or quiet
        reading = self._reader.read(file, size, self._clock.now_ns(), final=final)
        if reading.grown:
            file.grown_s = now_s
        if reading.blocks:
            self._roster.changed[file.key] = file
        if reading.outcome is Outcome.MORE:
            self._roster.ready[file] = None
        elif reading.outcome is Outcome.END:
            self._at_end(file, final=final, now_s=now_s)
        elif reading.outcome is Outcome.CHANGED:
            self._reader.close(file)
            self._roster.renew(file)
        elif reading.outcome is Outcome.REFUSED:
            self._roster.refuse(file)
        elif reading.outcome is Outcome.TROUBLE:
            self._later[file] = now_s + limits.RESCAN_S
        else:
            self._roster.lose(file)
            if not self._roster.resolve(walked=False) and self._settings.follow:
                self._walk()
        return reading.blocks

    def _at_end(self, file: Tracked, *, final: bool, now_s: float) -> None:
        if file.away and not file.finished:
            if final:
                self._roster.finish(file)
            else:
                self._later[file] = file.grown_s + AWAY_QUIET_S
        if self._clock.now_ns() - file.mtime_ns > IDLE_CLOSE_S * 1e9 and not file.away:
            self._reader.close(file)


def _stat(at: str | int) -> filestat.FileStat | None:
    try:
        return filestat.look(at)
    except OSError:
        return None


def _followed(file: Tracked) -> Followed:
    if file.refused or file.trouble:
        return Followed(file.path, file.offset, file.size, "unreadable", file.refused or file.trouble)
    state = "finished" if file.finished else "following" if file.handle >= 0 else "idle"
    return Followed(file.path, file.offset, file.size, state)
