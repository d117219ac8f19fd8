"""The source of file events: back ends, walks and processes put together into rows, numbered in one thread.

Comes in: settings, and what is known of the files from before. Goes out: blocks of documents, one a line, for the
parser `file_integrity`. The position is the next number, the time of the last event, and the gaps that no walk has
closed: after a restart a walk finds what changed meanwhile, compared with what is known, and says so (`restart`).

Rows of a walk are held until the events that waited by then are read: see `window`.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.contracts import Block, Followed, Origin, Reading
from tailrace.ebpf import processes as process_table
from tailrace.ecs import COLUMNS, STREAM_SOURCE
from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.acts import Acts
from tailrace.sources.file_events.backend import Slow
from tailrace.sources.file_events.choose import Chooser, Chosen
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.documents import TIME, ndjson
from tailrace.sources.file_events.fanotify import Fanotify
from tailrace.sources.file_events.gaps import read, written
from tailrace.sources.file_events.hashes import Hasher
from tailrace.sources.file_events.metadata import text
from tailrace.sources.file_events.mounts import Mounts
from tailrace.sources.file_events.on_their_way import OnTheirWay
from tailrace.sources.file_events.pace import Pace
from tailrace.sources.file_events.scan import Scan
from tailrace.sources.file_events.scope import Scope
from tailrace.sources.file_events.told import told
from tailrace.sources.file_events.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.sources.file_events.backend import Backend, Changes, Gap, Known, News, Reason
    from tailrace.sources.file_events.settings import FileEventsSettings

_EVENTS: Final = 20_000
"""Events of one reading: about 10 MiB of documents."""
_ENTRIES: Final = 5_000
"""Entries that a walk looks at between two readings: about 20 ms."""
_HASH_BYTES: Final = 8 << 20
"""Bytes that are hashed between two readings."""
_US: Final = 1_000


class FileEventsSource:
    """Watches files and folders; implements `contracts.Source`."""

    def __init__(self, settings: FileEventsSettings, *, name: str, clock: Clock, host: str) -> None:
        self.name = name
        self._settings = settings
        self._clock = clock
        labels = {"host": host, "source": STREAM_SOURCE, "service_name": name, **settings.labels}
        self._origin = Origin("events", labels, Reading("file_integrity"))
        self._paths = _distinct([os.path.realpath(os.fsencode(os.path.expanduser(path))) for path in settings.paths])
        self._own: tuple[bytes, ...] = ()
        self._known: Known | None = None
        self._heard: Callable[[Sequence[Block]], None] | None = None
        self._started: Callable[[Sequence[Followed], Sequence[str]], None] | None = None
        self._next = self._marked = 0
        self._since_ns = 0  # the last event before this start; 0 = there was none
        self._last_ns = 0
        self._offset = 0
        self._watching: _Watching | None = None
        self.on_their_way = OnTheirWay()  # rows that were told, and are not in the table yet
        self._gaps: list[Gap] = []  # that were open when the last process stopped
        self._gaps_marked = False
        self._finishing = self._finished = False

    def prepare(self, *, own: Sequence[str | os.PathLike[str]] = (), known: Known | None = None) -> None:
        """Say which folders are our own, to be left out, and what is known of files; before the first reading."""
        self._own = tuple(os.path.realpath(os.fsencode(path)) for path in own)
        self._known = known

    def listen(
        self,
        heard: Callable[[Sequence[Block]], None] | None,
        started: Callable[[Sequence[Followed], Sequence[str]], None],
    ) -> None:
        """Have blocks shown as they are read, and be told the status once everything is watched."""
        self._heard, self._started = heard, started

    def restore(self, state: Mapping[str, object]) -> None:
        """Go on with the numbers behind the last event that was stored."""
        number, time_ns = state.get("sequence"), state.get("time_ns")
        if isinstance(number, int) and isinstance(time_ns, int):
            self._next = self._marked = number
            self._since_ns = time_ns
        self._gaps = read(state.get("gaps"))
        self._gaps_marked = bool(self._gaps)

    def adopt(self, old: object) -> None:
        """Take over what one of the same name told, and is not in the table yet."""
        if isinstance(old, FileEventsSource):
            self.on_their_way = old.on_their_way

    def stored(self, state: Mapping[str, object]) -> None:
        """Take that a mark and everything before it is durable; from any thread."""
        number = state.get("sequence")
        if isinstance(number, int):
            self.on_their_way.stored(number)

    def finish(self) -> None:
        """Begin nothing more: hand out what waits in the kernel, and be done then."""
        self._finishing = True

    def read(self, budget_bytes: int, timeout_s: float) -> Sequence[Block]:  # noqa: ARG002  a reading is bounded
        """Return the next events; waits for news up to `timeout_s`."""
        if self._finishing and self._watching is None:
            self._finished = True
            return []
        if self._watching is None:
            self._watching = self._begin()
            if self._started is not None:
                self._started(self.status(), self.notes())
        frames = self._watching.turn(timeout_s, last=self._finishing)
        self._finished = self._finishing and not frames and not self._watching.more
        if not frames:
            return []
        self._last_ns = self._clock.now_ns()
        blocks = []
        for frame in frames:
            data = ndjson(frame, nested=self._heard is not None)  # people see them
            blocks.append(Block(self._origin, self._offset, data, self._last_ns))
            self._offset += len(data)
        if self._heard is not None:
            self._heard(blocks)
        return blocks

    def mark(self) -> Mapping[str, object]:
        """Return the next number, the time of the last event and the open gaps, if there were any events."""
        number = self._next if self._watching is None else self._watching.number
        if number == self._marked:
            return {}
        self._marked = number
        mark: dict[str, object] = {"sequence": number, "time_ns": self._last_ns}
        gaps = [] if self._watching is None else self._watching.open_gaps()
        if gaps or self._gaps_marked:
            mark["gaps"] = written(gaps) or None
        self._gaps_marked = bool(gaps)
        return mark

    @property
    def done(self) -> bool:
        """Only after `finish`: it follows."""
        return self._finished

    def backlog_bytes(self) -> int:
        """Return nothing: what waits in the kernel has no bytes yet."""
        return 0

    def status(self) -> Sequence[Followed]:
        """Return what is watched, and what is not and why."""
        return [] if self._watching is None else self._watching.status(self._offset)

    def notes(self) -> Sequence[str]:
        """Return where another back end than the best one watches, and why."""
        return [] if self._watching is None else self._watching.notes()

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what happened that is no event, and how many events came from where."""
        return {} if self._watching is None else self._watching.counters()

    def close(self) -> None:
        """Release every watch."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    def _begin(self) -> _Watching:
        # Numbers rise over restarts, also if the last ones were not stored: they begin at the clock's microseconds.
        start = max(self._next, self._clock.now_ns() // _US)
        scope = Scope(self._paths, self._settings.exclude, self._own)
        return _Watching(
            self._settings,
            scope,
            clock=self._clock,
            known=self._known,
            on_their_way=self.on_their_way,
            number=start,
            since_ns=self._since_ns,
            gaps=self._gaps,
        )


class _Watching:
    """The source while it watches: everything that is opened once."""

    def __init__(
        self,
        settings: FileEventsSettings,
        scope: Scope,
        *,
        clock: Clock,
        known: Known | None,
        on_their_way: OnTheirWay,
        number: int,
        since_ns: int,
        gaps: Sequence[Gap],
    ) -> None:
        self.number = number
        self.more = False  # the last reading left something in a queue
        self._settings = settings
        self._scope = scope
        self._clock = clock
        self._devices = Devices()
        self._mounts = Mounts()
        self._poll = select.poll()
        self._chooser = Chooser(
            settings.backend, scope, clock=clock, devices=self._devices, known=known, poll_s=settings.poll_s
        )
        self._chosen = Chosen()
        self._on_their_way = None if known is None else on_their_way
        pace = Pace(settings.scan_rate, clock)
        self._walk = Scan(scope, self._devices, known, pace=pace, on_their_way=self._on_their_way)
        pace = Pace(settings.hash_rate_bytes, clock)
        self._hasher = Hasher(settings.hash, settings.hash_max_bytes, pace, self._devices)
        self._acts = Acts()
        self._held: list[pl.DataFrame] = []  # rows of walks until the events that waited are read
        self._window = Window()  # what happened since the first of them
        self._open_gaps: list[Gap] = []
        self._left_gaps = list(gaps)  # of an earlier process, about what is not looked at by this one
        self._unwatched: set[bytes] = set()
        self._later: list[tuple[bytes, Reason]] = []  # trees to walk that are not watched yet
        self._events: dict[str, int] = {}
        self._counts = {"gaps": 0, "unknown_who": 0, "walked_again": 0}
        self._processes = None
        if settings.who != "off":
            self._processes = process_table.open_processes(clock, ebpf=settings.who == "auto")
        roots = [*scope.roots, *(mount.point for mount in self._mounts.below(scope.roots) if scope.wants(mount.point))]
        self._roots: list[bytes] = []
        self._first: list[pl.DataFrame] = []
        self._watch(roots)
        if settings.scan_at_start:
            self._take_up_gaps()
            self._look_at(roots, "restart" if since_ns else "baseline", since_ns)

    def close(self) -> None:
        for backend in self._chosen.backends:
            backend.close()
        self._walk.close()
        self._hasher.close()
        self._mounts.close()
        if self._processes is not None:
            self._processes.close()

    # --- one turn -------------------------------------------------------------------------------

    def turn(self, timeout_s: float, *, last: bool = False) -> list[pl.DataFrame]:
        """Return the rows of one reading, perhaps none after the timeout; a `last` one only empties queues."""
        frames, self._first = self._first, []
        if last and not self.more:
            self._poll.poll(_PACE_S * 1000)
        elif not self.more:
            frames += self._hashed()
            frames += self._step(timeout_s if not frames else 0.0)
        self.more = False
        for backend in self._chosen.backends:
            if backend.handle is not None or not last:
                frames += self._take(backend, backend.read(_EVENTS))
        later, self._later = self._later, []
        for root, reason in later:
            self._walk_on(root, reason)
        for frame in frames:
            self._acts.see(frame, self._clock.now_ns())
        if not self.more:
            frames += self._let_go()
            frames += self._acts_over()
        if not last and self._mounts.changed():
            frames += self._remount()
        return self._on_way(frames)

    def _on_way(self, frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
        """Return what there is of frames, and keep in mind that it was told."""
        frames = [frame for frame in frames if frame.height]
        if self._on_their_way is not None:
            for frame in frames:
                self._on_their_way.add(frame, self.number)
        return frames

    def _hashed(self) -> list[pl.DataFrame]:
        """Return the rows of files whose hash had to wait."""
        if not self._hasher.waiting:
            return []
        rows = self._hasher.step(_HASH_BYTES)
        return [self._numbered(rows.with_columns(event_provider=pl.lit("scan")))] if rows.height else []

    def _acts_over(self) -> list[pl.DataFrame]:
        rows = self._acts.over(self._clock.now_ns())
        return [] if rows is None else [self._common(rows)]

    def _step(self, timeout_s: float) -> list[pl.DataFrame]:
        """Walk on, or wait for news."""
        if self._walk.done:
            self._wait(timeout_s)
            return []
        rows = self._walk.step(_ENTRIES)
        if not rows.height:
            if not self._walk.done:
                self._wait(min(timeout_s, _PACE_S))
            return []
        rows = rows.with_columns(event_provider=pl.lit("scan"))
        linked = rows.filter((pl.col("file_links") > 1) & (pl.col("file_type") != "dir"))["file_path"]
        for backend in self._chosen.backends if len(linked) else ():
            if isinstance(backend, Fanotify):
                backend.know_links([path.encode() for path in linked])
        # What is gone is told at once: events that wait may be about another thing of that name, and then win.
        gone = pl.col("event_action") == "deleted"
        self._held.append(self._hasher.add(rows.filter(~gone)))
        return [self._numbered(rows.filter(gone))]

    def _wait(self, timeout_s: float) -> None:
        now_s = self._clock.monotonic_s()
        due = [due_s for backend in self._chosen.backends if (due_s := backend.due_s(now_s)) is not None]
        if self._hasher.waiting:
            due.append(_PACE_S)
        wait_s = max(0.0, min([timeout_s, *due]))
        if any(backend.handle is not None for backend in self._chosen.backends):
            self._poll.poll(wait_s * 1000)
        else:
            time.sleep(wait_s)

    def _take(self, backend: Backend, news: News) -> list[pl.DataFrame]:
        frames = []
        self.more = self.more or news.more
        if len(news.changes):
            frames.append(self._told(news.changes, backend))
        if news.rows is not None and news.rows.height:
            frames.append(self._numbered(news.rows.with_columns(event_provider=pl.lit(backend.provider))))
        if unwatched := [(path, why) for path, why in backend.unwatched() if path not in self._unwatched]:
            self._poll_instead(unwatched)
        for root, reason in news.walk:
            self._walk_on(root, reason)
        if self._held:
            self._window.note(news)
        elif self._later or not self._walk.done:
            self._window.note_moves(news)
        frames += [self._gap(gap) for gap in news.gaps]
        return frames

    def _told(self, changes: Changes, backend: Backend) -> pl.DataFrame:
        frame = self._hasher.add(told(changes, backend.provider, self._devices))
        self._events[backend.provider] = self._events.get(backend.provider, 0) + len(frame)
        if self._processes is None:
            return self._numbered(frame.rename({"pid": "process_pid"}))
        self._processes.drain()
        who = process_table.columns(self._processes, frame["pid"], self._clock.now_ns())
        self._counts["unknown_who"] += who["process_name"].null_count() - who["process_pid"].null_count()
        return self._numbered(pl.concat([frame.drop("pid"), who], how="horizontal"))

    def _numbered(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give rows their numbers, and what all events have."""
        first, self.number = self.number, self.number + frame.height
        return self._common(
            frame.with_columns(pl.int_range(first, self.number, dtype=pl.Int64).alias("event_sequence"))
        )

    def _common(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give rows their time, and what all events have."""
        now = pl.from_epoch(pl.Series([self._clock.now_ns()]), "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")[0]
        return frame.with_columns(
            pl.lit(now).alias(TIME),
            pl.lit("file_integrity").alias("event_module"),
            *(() if "event_kind" in frame.columns else (pl.lit("event").alias("event_kind"),)),
        )

    # --- walks and gaps -------------------------------------------------------------------------

    def _let_go(self) -> list[pl.DataFrame]:
        """Return the rows of walks that were held, all events that waited being read."""
        held, self._held = self._held, []
        window, self._window = self._window, Window()
        if window.full:
            held, window.again = [], dict.fromkeys(self._roots)
        frames = [self._numbered(frame) for rows in held if (frame := window.spared(rows)).height]
        for frame in frames:
            self._acts.see(frame, self._clock.now_ns())
        self._events["scan"] = self._events.get("scan", 0) + sum(len(frame) for frame in frames)
        self._counts["walked_again"] += len(window.again)
        for path in window.again:
            frames += self._anew(path)
        if self._walk.done and not self._later and self._open_gaps:
            frames += [self._gap_row(gap, closed=True) for gap in self._open_gaps]
            self._open_gaps = []
        return frames

    def _anew(self, path: bytes) -> list[pl.DataFrame]:
        """Have a folder walked, and return the row by which nothing that was told of its content counts any more."""
        self._walk_on(path, "moved_in")
        try:
            found = os.lstat(path)
        except OSError:
            return []
        changes = bits.Changes()
        changes.add(bits.DELETED | bits.CREATED | bits.FOLDER | bits.SYNTHETIC, path, found, inode=found.st_ino)
        frame = told(changes, "scan", self._devices).drop("pid")
        return [self._numbered(frame.with_columns(event_reason=pl.lit("moved_in")))]

    def _look_at(self, roots: Sequence[bytes], reason: Reason, since_ns: int) -> None:
        """Walk roots at the start; after a restart that closes a gap."""
        if since_ns:
            self._first.append(self._gap(bits.Gap(tuple(roots), since_ns, self._clock.now_ns(), reason)))
            return
        for root in roots:
            self._walk_on(root, reason)

    def _walk_on(self, root: bytes, reason: Reason) -> None:
        """Have a tree walked, as soon as everything in it is watched."""
        slow = [each for each in self._chosen.backends if isinstance(each, Slow) and not each.watching]
        if any(_overlap(root, other) for each in slow for other in each.roots):
            self._later.append((root, reason))
        else:
            self._walk.add(root, reason)

    def _take_up_gaps(self) -> None:
        """Have the walk of the start close the gaps that an earlier process left open, if it looks at their roots."""
        for gap in self._left_gaps:
            if all(self._scope.wants(root) for root in gap.roots):
                self._open_gaps.append(gap)
        self._left_gaps = [gap for gap in self._left_gaps if gap not in self._open_gaps]

    def open_gaps(self) -> list[Gap]:
        """Return the gaps that no walk has closed yet."""
        return self._left_gaps + self._open_gaps

    def _gap(self, gap: Gap) -> pl.DataFrame:
        """Note a gap, and have it walked."""
        self._counts["gaps"] += 1
        self._open_gaps.append(gap)
        for root in gap.roots:
            self._walk_on(root, gap.reason)
        return self._gap_row(gap, closed=False)

    def _gap_row(self, gap: Gap, *, closed: bool) -> pl.DataFrame:
        """Return the ledger's entry of a gap: with an end when it is closed."""
        times = pl.from_epoch(pl.Series([gap.start_ns, gap.end_ns]), "ns").dt.strftime("%Y-%m-%dT%H:%M:%S%.9fZ")
        row = {
            "event_action": "gap",
            "event_kind": "state",
            "event_provider": "scan",
            "event_reason": gap.reason,
            "event_start": times[0],
            "event_end": times[1] if closed else None,
        }
        paths = pl.Series("file_path", [text(root) for root in gap.roots], pl.String)
        return self._numbered(
            paths.to_frame().with_columns(pl.lit(value, COLUMNS[name]).alias(name) for name, value in row.items())
        )

    # --- back ends ------------------------------------------------------------------------------

    def _watch(self, roots: Sequence[bytes]) -> None:
        chosen = self._chooser.choose(roots, self._mounts)
        self._roots += roots
        self._chosen.why.update(chosen.why)
        self._chosen.refused.update(chosen.refused)
        for backend in chosen.backends:
            self._adopt(backend)

    def _adopt(self, backend: Backend) -> None:
        self._chosen.backends.append(backend)
        if backend.handle is not None:
            self._poll.register(backend.handle, select.POLLIN)

    def _poll_instead(self, unwatched: Sequence[tuple[bytes, str]]) -> None:
        """Poll folders that a back end cannot watch."""
        self._unwatched.update(path for path, _ in unwatched)
        self._chosen.why.update(dict(unwatched))
        self._adopt(self._chooser.poll([path for path, _ in unwatched]))

    def _remount(self) -> list[pl.DataFrame]:
        """Watch file systems that were mounted, and tell anew what is in their folders, and in those of others gone."""
        now = [mount.point for mount in self._mounts.below(self._scope.roots) if self._scope.wants(mount.point)]
        wanted = [*self._scope.roots, *now]
        new = [point for point in wanted if point not in self._roots]
        gone = [point for point in self._roots if point not in wanted]
        self._roots = [point for point in self._roots if point in wanted]
        for backend in [each for each in self._chosen.backends if set(each.roots) & set(gone)]:
            if backend.handle is not None:
                self._poll.unregister(backend.handle)
            backend.close()
            self._chosen.backends.remove(backend)
        if new:
            self._watch(new)
        return [frame for point in (*new, *gone) for frame in self._anew(point)]

    # --- what is told about it ------------------------------------------------------------------

    def status(self, offset: int) -> list[Followed]:
        """Return a line per root."""
        found = [
            Followed(os.fsdecode(root), offset, offset, f"following by {backend.provider}")
            for backend in self._chosen.backends
            for root in backend.roots
        ]
        refused = [*self._chosen.refused.items(), *self._walk.refused]
        return found + [Followed(os.fsdecode(path), 0, 0, "unreadable", why) for path, why in refused]

    def notes(self) -> list[str]:
        """Return a line per root that got less than the best."""
        by = {root: backend.provider for backend in self._chosen.backends for root in backend.roots}
        return [
            f"{os.fsdecode(path)} is watched by {by[path]}: {why}"
            for path, why in self._chosen.why.items()
            if path in by
        ]

    def counters(self) -> dict[str, int]:
        """Return what is counted."""
        counts = {
            **self._counts,
            **self._hasher.counters,
            "open_gaps": len(self._open_gaps),
            "walked": self._walk.entries,
        }
        counts.update({f"events_{name}": count for name, count in self._events.items()})
        for backend in self._chosen.backends:
            for name, count in backend.counters.items():
                counts[name] = counts.get(name, 0) + count
        return counts


_PACE_S: Final = 0.05


def _overlap(one: bytes, other: bytes) -> bool:
    """Tell whether a path is at or below another one, or above it."""
    first, second = sorted((one.rstrip(b"/") + b"/", other.rstrip(b"/") + b"/"), key=len)
    return second.startswith(first)


def _distinct(paths: Sequence[bytes]) -> list[bytes]:
    """Return paths without those below another one, in their order."""
    return [
        path
        for place, path in enumerate(paths)
        if path not in paths[:place]
        and not any(other != path and path.startswith(other.rstrip(b"/") + b"/") for other in paths)
    ]
