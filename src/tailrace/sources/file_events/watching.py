"""What a source of file events has open: its back ends, its walks, and who did what; one turn after the other.

Comes in: settings and a scope. Goes out: numbered rows, a bounded number at each turn. Rows of a walk are held until
the events that waited by then are read: see `window`. One thread calls it.
"""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.contracts import Followed
from tailrace.ebpf import processes as process_table
from tailrace.ecs import COLUMNS
from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.acts import Acts
from tailrace.sources.file_events.backend import Slow
from tailrace.sources.file_events.choose import Chooser, Chosen
from tailrace.sources.file_events.devices import Devices
from tailrace.sources.file_events.documents import TIME
from tailrace.sources.file_events.fanotify import Fanotify
from tailrace.sources.file_events.hashes import Hasher
from tailrace.sources.file_events.metadata import text
from tailrace.sources.file_events.mounts import Mounts
from tailrace.sources.file_events.pace import Pace
from tailrace.sources.file_events.scan import Scan
from tailrace.sources.file_events.told import told
from tailrace.sources.file_events.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.clock import Clock
    from tailrace.sources.file_events.backend import Backend, Changes, Gap, Known, News, Reason
    from tailrace.sources.file_events.on_their_way import OnTheirWay
    from tailrace.sources.file_events.scope import Scope
    from tailrace.sources.file_events.settings import FileEventsSettings

_EVENTS: Final = 20_000
"""Events of one reading: about 10 MiB of documents."""
_ENTRIES: Final = 5_000
"""Entries that a walk looks at between two readings: about 20 ms."""
_HASH_BYTES: Final = 8 << 20
"""Bytes that are hashed between two readings."""
_PACE_S: Final = 0.05


class Watching:
    """Everything that is open while a source watches."""

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
        """Close all of it."""
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
            self._held.append(rows)  # a root that was renamed meanwhile: the event that says so may wait
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


def _overlap(one: bytes, other: bytes) -> bool:
    """Tell whether a path is at or below another one, or above it."""
    first, second = sorted((one.rstrip(b"/") + b"/", other.rstrip(b"/") + b"/"), key=len)
    return second.startswith(first)
