"""The keeper: one thread that takes new events from `logs` into the table `files`, and keeps that in shape.

What it takes is committed with the version of `logs` that it was read from, in one step, so a crash in between is a
repetition that the table recognises. A tail that got long is condensed; sizes are written down when they are due
(`usage`); past states are thinned out (`past`). A round that fails is counted, and the next one tries again.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from polars.exceptions import PolarsError

from tailrace import limits, memory
from tailrace.errors import TailraceError
from tailrace.twin import events, past, usage
from tailrace.twin.condense import condense
from tailrace.twin.health import health
from tailrace.twin.records import of_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.contracts import Engine
    from tailrace.store.table import LogTable
    from tailrace.telemetry import Accounts, Sample
    from tailrace.twin.health import Health
    from tailrace.twin.reading import Twin
    from tailrace.twin.table import FilesTable

INTERVAL_S: Final = 5.0
"""Seconds between rounds: answers have what was not taken yet, so there is no hurry."""

UPKEEP_S: Final = 600.0

GAUGES: Final = {
    "paths": ("paths", "Living paths of all hosts."),
    "uncondensed": ("uncondensed_paths", "Paths with more than one record; 0 after condensing."),
    "orphans": ("orphan_paths", "Living paths whose directory does not live, although one above it does."),
    "open_gaps": ("open_gaps", "Spans of time in which file events may be missing, until a rescan closes them."),
    "lag_s": ("lag_seconds", "Age of the oldest file event that the twin has not taken."),
    "unknown_who": ("unknown_who_ratio", "Share of the last day's file events that name no process."),
}
"""The numbers of `health` on `/metrics`, as of the last round of upkeep."""

EMPTY_COMMITS: Final = 500
"""Versions of `logs` without events after which it is written down that they were read."""

_LOGGER: Final = logging.getLogger(__name__)


def take(files: FilesTable, logs: LogTable, engine: Engine, since: int = -1) -> tuple[int, int]:
    """Take what `logs` has and `files` has not; return how many records that were, and how far `logs` was read.

    `since` is a version up to which `logs` is known to hold nothing new. A commit without events is not written down
    each time: to read it again costs a look at its streams.
    """
    known = files.snapshot().taken
    since, snapshot = max(since, known), logs.snapshot()
    taken = 0
    if snapshot.version == since:
        return 0, since
    for piece in events.pieces(logs, snapshot, since):
        records = of_events(events.of_piece(snapshot, piece, engine))
        if records.height or (piece.version or 0) - known >= EMPTY_COMMITS:
            taken += records.height * files.append(records, piece.version)
    return taken, snapshot.version


class Keeper:
    """Keeps the tables of files and of their sizes until it is stopped; `mine` tells whether that is its job."""

    def __init__(self, twin: Twin, accounts: Accounts, mine: Callable[[], bool] = lambda: True) -> None:
        self._twin, self._files, self._clock = twin, twin.files, twin.clock
        self._accounts, self._mine = accounts, mine
        self._schedule = usage.Schedule(twin.clock)
        self._steps = (self._take, self._condense, self._measure, self._upkeep)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="twin", daemon=True)
        self._seen = -1
        self._due_s = 0.0
        self._health: Health | None = None
        self._register()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step at hand and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> None:
        """Do everything that is due, once; one part that fails leaves the others."""
        for step in self._steps:
            if self._stopping.is_set() or not self._mine():
                return
            try:
                step()
            except (TailraceError, OSError, PolarsError) as error:
                _LOGGER.warning("twin: %s", error)
                self._accounts.count("tailrace_twin_failures_total", "Steps of the twin's upkeep that failed.")

    def _run(self) -> None:
        while True:
            self.round()
            memory.give_back()
            if self._clock.wait(self._stopping, INTERVAL_S):
                return

    def _take(self) -> None:
        count, self._seen = take(self._files, self._twin.logs, self._twin.engine, self._seen)
        if count:
            self._accounts.count("tailrace_twin_records_total", "Records of file events that the twin took.", count)

    def _condense(self) -> None:
        if self._files.snapshot().rows("tail") < limits.TWIN_TAIL_ROWS:
            return
        done = condense(self._files, rows=limits.TWIN_TAIL_ROWS, stopping=self._stopping.is_set)
        self._accounts.count("tailrace_twin_condensed_total", "Records that were condensed.", done.records)

    def _measure(self) -> None:
        if self._files.exists() and self._schedule.due():
            usage.write_down(self._twin)

    def _upkeep(self) -> None:
        if self._clock.monotonic_s() < self._due_s or not self._files.exists():
            return
        self._due_s = self._clock.monotonic_s() + UPKEEP_S
        past.tidy(self._files, self._clock.now_ns())
        self._health = health(self._twin)

    def _register(self) -> None:
        for name, (unit, text) in GAUGES.items():
            self._accounts.gauge(f"tailrace_twin_{unit}", text, partial(self._samples, name))

    def _samples(self, name: str) -> list[Sample]:
        return [] if self._health is None else [({}, float(getattr(self._health, name)))]
