"""The source of files: each turn looks at what may have changed, then reads a fair share of what is new.

Hints come from `watch`, matches from `discovery`, their meaning from `moves`, bytes from `turns`. Nothing here is
durable: `mark` tells what was handed out, and `restore` goes on from there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.contracts import Followed
from tailrace.sources.kubernetes.containers import Containers
from tailrace.sources.kubernetes.overlay import Overlay
from tailrace.sources.kubernetes.pods import MARK as PODS_MARK
from tailrace.sources.tail.discovery import Discovery
from tailrace.sources.tail.globs import Scope
from tailrace.sources.tail.labels import labels_of
from tailrace.sources.tail.moves import Moves
from tailrace.sources.tail.reader import Reader
from tailrace.sources.tail.roster import Roster
from tailrace.sources.tail.tracked import PARKED, Tracked
from tailrace.sources.tail.turns import Turns
from tailrace.sources.tail.watch import Watch

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Block
    from tailrace.sources.tail.settings import TailSettings

GATHER_S: Final = 0.1
"""After news that come after a quiet time the source waits so long before it reads."""

BEAT_S: Final = 0.25
"""While lines keep coming it reads on beats of the clock, which all sources share: many small writes are one turn, and
the turns of all sources reach a batch just before it is sent. Much that waits is read at once."""

_MUCH_BYTES: Final = limits.READ_TURN_BYTES // 2

FORGET_S: Final = 86_400.0
"""The state of a file that is gone is kept for this long: folders come back after a remount."""

_SELF: Final = "@source"  # key of the source's own state


class TailSource:
    """Follows the files of one `TailSettings`; implements `contracts.Source`.

    `events` and `open_files` are there for tests: without events folders are listed again and again.
    """

    def __init__(
        self,
        settings: TailSettings,
        *,
        name: str,
        clock: Clock,
        host: str,
        events: bool = True,
        open_files: int | None = None,
    ) -> None:
        self.name = name
        self._follow = settings.follow
        self._clock = clock
        self._reader = Reader(settings.max_line_bytes, open_files)
        self._roster = Roster(
            host=host,
            source=name,
            labels=settings.labels,
            reading=settings.reading(),
            encoding=settings.text(),
            close=self._reader.close,
        )
        self._overlay = Overlay(settings.kubernetes, host)
        labels = partial(labels_of, host=host, source=name, extra=settings.labels)
        self._containers = Containers(self._overlay, lambda path, known: labels(path, known=known))
        self._discovery = Discovery(settings.paths, settings.exclude)
        self._scope = Scope(settings.paths, settings.exclude)
        self._moves = Moves(self._roster, settings, clock, self._discovery.takes)
        self._turns = Turns(
            self._roster,
            self._moves,
            self._reader,
            clock,
            follow=settings.follow,
            partial_after_s=settings.partial_after_s,
        )
        self._watch = Watch(clock, events=events and settings.follow)
        self._linked: set[str] = set()  # folders that links lead to, since the last walk
        self._turn_bytes = 0  # of the last turn
        self._turn_s = float("-inf")  # when the last turn with anything in it was read
        self._parked: dict[str, object] = {}  # files that are kept and not read, to be marked
        self._started = False
        self._start_marked = False

    # --- position -------------------------------------------------------------------------------

    def restore(self, state: Mapping[str, object]) -> None:
        """Start from a position; a state that cannot be understood is left out, and its file read again.

        A file that the settings do not ask for any more, at neither of its names, is not read; its state is kept.
        """
        files: list[Tracked] = []
        for key, value in state.items():
            try:
                if key == _SELF and isinstance(value, dict):
                    self._moves.arrivals.first_start_ns = int(value["first_start_ns"])
                    self._start_marked = True
                elif key.startswith(PODS_MARK):
                    self._overlay.restore(key, value)
                else:
                    file = Tracked.of(key, value, self._roster.maker)
                    parked = isinstance(value, dict) and PARKED in value
                    if self._scope.wants(file.name) or self._scope.wants(file.path):
                        files.append(file)
                        if parked:
                            self._roster.changed[key] = file
                    elif not parked:
                        self._parked[key] = {**file.state(), PARKED: True}
            except (KeyError, TypeError, ValueError):
                self._roster.changed[key] = None
        self._moves.put_back(files)

    def adopt(self, old: object) -> None:
        """Take over the open files and the counts of a source of the same name that is not read any more."""
        if isinstance(old, TailSource):
            self._reader.adopt(old._reader, self._roster.files)  # noqa: SLF001  of its own kind
            self._roster.lost_bytes += old._roster.lost_bytes  # noqa: SLF001

    def mark(self) -> Mapping[str, object]:
        """Return the changes of position since the last mark."""
        changed, self._roster.changed = self._roster.changed, {}
        marks: dict[str, object] = {
            key: None if file is None else file.state()
            for key, file in changed.items()
            if file is None or not (file.refused or (file.original and not file.offset))
        }
        if not self._start_marked:
            self._note_start()
            marks[_SELF] = {"first_start_ns": self._moves.arrivals.first_start_ns}
            self._start_marked = True
        parked, self._parked = self._parked, {}
        return {**marks, **parked, **self._overlay.mark()}

    def _note_start(self) -> None:
        self._moves.arrivals.first_start_ns = self._moves.arrivals.first_start_ns or self._clock.now_ns()

    # --- reading --------------------------------------------------------------------------------

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:
        """Return the next blocks, in order per file; waits for news up to `timeout_s`."""
        self._look()
        if timeout_s > 0 and self._follow:
            self._wait(timeout_s)
        blocks = self._containers.describe(
            self._turns.take(min(budget_bytes, limits.READ_TURN_BYTES)), self._roster.files
        )
        self._turn_bytes = sum(len(block.data) for block in blocks)
        if blocks:
            self._turn_s = self._clock.monotonic_s()
        return blocks

    def _wait(self, timeout_s: float) -> None:
        """Wait for news, then for more of them: many small writes become one turn."""
        began_s = self._clock.monotonic_s()
        if not self._roster.ready:
            due_s = self._turns.next_due_s() - began_s
            self._watch.wait(max(0.0, min(timeout_s, due_s)))
            self._look()  # at once: a file that is about to vanish must be open before
        if self._roster.ready and self._turn_bytes < _MUCH_BYTES:
            self._gather(began_s + timeout_s)

    def _gather(self, latest_s: float) -> None:
        """Let more come until the next beat, or for a moment after a quiet time; all the while nothing goes unseen."""
        now_s = self._clock.monotonic_s()
        end_s = now_s + GATHER_S
        if now_s - self._turn_s < 2 * BEAT_S:
            end_s = max(end_s, min((now_s // BEAT_S + 1) * BEAT_S, latest_s))
        while now_s < end_s and sum(file.waiting_bytes for file in self._roster.ready) < _MUCH_BYTES:
            self._watch.pause(min(GATHER_S, end_s - now_s))
            self._look()
            now_s = self._clock.monotonic_s()

    @property
    def done(self) -> bool:
        """Whether a one-shot source has read everything; never for one that follows."""
        return not self._follow and self._started and not self._roster.ready and not self._turns.waiting()

    def close(self) -> None:
        """Release files and watches."""
        self._reader.close_all()
        self._watch.close()
        self._overlay.close()

    # --- what others may ask, in any thread -----------------------------------------------------

    def backlog_bytes(self) -> int:
        """Return the bytes known to wait in the files, unread."""
        return sum(file.waiting_bytes for file in list(self._roster.files.values()))

    def status(self) -> Sequence[Followed]:
        """Return what is followed, and what is not and why."""
        files = [_followed(file) for file in list(self._roster.files.values()) if not file.gone_ns]
        whys = [*self._moves.refused.items(), *self._discovery.troubles.items()]
        troubles = [Followed(path, 0, 0, "unreadable", why) for path, why in whys]
        return [*files, *troubles, *self._overlay.status()]

    @property
    def counters(self) -> Mapping[str, int]:
        """What happened that is no line: bytes that nobody can read any more, NULs of holes, open files."""
        return {
            "possibly_lost_bytes": self._roster.lost_bytes,
            "nul_bytes_skipped": self._reader.nul_bytes_skipped,
            "damaged_bytes": self._reader.damaged_bytes,
            "open_files": self._reader.open_files(),
            "polled_folders": self._watch.polled_folders(),
            "unreadable_files": self._unreadable(),
            "rotations": self._roster.rotations,
            "truncations": self._moves.truncations,
            **self._overlay.counters,
        }

    def _unreadable(self) -> int:
        files = sum(1 for file in list(self._roster.files.values()) if file.trouble)
        return files + len(self._moves.refused) + len(self._discovery.troubles)

    # --- looking --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Find out what may have changed."""
        if not self._started:
            self._started = True
            self._overlay.start()
            self._note_start()
            self._walk()
            return
        paths, folders = self._watch.news() if self._follow else (set(), set())
        if self._turns.found_nowhere or (self._follow and self._watch.walk_due()):
            self._walk(paths)
        elif paths or folders:
            self._look_at(paths, folders)
        self._turns.open_ready()
        self._turns.keep_time()

    def _walk(self, hints: Iterable[str] = ()) -> None:
        """Look at everything: finds what no event told."""
        self._watch.begin_walk()
        self._turns.found_nowhere = False
        seen: set[str] = set()
        links: list[str] = []
        for match in self._discovery.walk(self._watch.add):
            seen.add(match.path)
            if match.found is None:
                links.append(match.path)
            self._look_at_match(match.path, match.found)
        for base in self._discovery.bases():
            self._watch.add_nearest(base)
        for path in list(self._roster.by_path):
            if path not in seen:
                self._moves.look(path, matches=False)
        for path in hints:
            self._look_at_path(path)
        self._moves.resolve(walked=True)
        for path in links:
            self._roster.link(path)
        self._linked.clear()
        self._watch_links()
        self._roster.forget(self._clock.now_ns() - round(FORGET_S * 1e9))
        self._containers.forget(self._roster.files)

    def _look_at(self, paths: set[str], folders: set[str]) -> None:
        polled = {folder for folder in folders if self._watch.is_polled(folder)}
        if polled:
            self._list_again(polled)
        for folder in folders - polled:
            if self._discovery.leads_to_base(folder):
                self._watch.walk_soon()
            else:
                for match in self._discovery.walk_below(folder, self._watch.add):
                    self._look_at_match(match.path, match.found)
        for path in paths:
            self._look_at_path(path)
        if not self._moves.resolve(walked=False):
            self._walk()
        self._watch_links()

    def _look_at_match(self, path: str, found: os.stat_result | None) -> bool:
        """Look at a match; tells whether it is news."""
        if found is not None and self._moves.unchanged(path, found):
            return False
        file = self._roster.by_path.get(path)
        if file is not None and found is not None and file.size < found.st_size:
            self._watch.doubt(path.rpartition("/")[0])
        self._moves.look(path, matches=True)
        return True

    def _look_at_path(self, path: str) -> None:
        linked = self._roster.by_real.get(path)
        if linked is not None:
            self._moves.look(linked.path, matches=linked.path == linked.name)
        matches = self._discovery.takes(path)
        if matches or self._moves.interesting(path):
            self._moves.look(path, matches=matches)

    def _list_again(self, folders: set[str]) -> None:
        """Look at folders without events."""
        known: dict[str, set[str]] = {folder: set() for folder in folders}
        for path in (*self._roster.by_path, *self._roster.by_real):
            if (folder := path.rpartition("/")[0]) in known:
                known[folder].add(path)
        for folder, paths in known.items():
            news = 0
            for match in self._discovery.walk_again(folder, self._watch.add):
                paths.discard(match.path)
                news += self._look_at_match(match.path, match.found)
            for path in paths:
                self._look_at_path(path)
            self._watch.polled(folder, news=news > 0)

    def _watch_links(self) -> None:
        """Watch the folders that links lead to: a link's own folder tells nothing about its target."""
        for folder in {real.rpartition("/")[0] for real in self._roster.by_real} - self._linked:
            self._linked.add(folder)
            self._watch.add_nearest(folder)


def _followed(file: Tracked) -> Followed:
    if file.refused or file.trouble:
        return Followed(file.path, file.offset, file.size, "unreadable", file.refused or file.trouble)
    state = "finished" if file.finished else "following" if file.handle >= 0 else "idle"
    return Followed(file.path, file.offset, file.size, state)
