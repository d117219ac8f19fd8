"""Upkeep in the background: compaction, retention, checkpoints and clean-up, one thread, one round at a time.

A round that fails is counted and the next one tries again; it never stops the process. What a round did
is in the accounts as counters, the state of the table as gauges.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tailrace import memory
from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError
from tailrace.store.compact import compact
from tailrace.store.retain import retain
from tailrace.store.vacuum import vacuum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tailrace.clock import Clock
    from tailrace.store.settings import StoreSettings
    from tailrace.store.table import LogTable
    from tailrace.telemetry import Accounts, Sample

PRESSED_GRACE_S: Final = 60.0
"""Grace of removed files when a limit of size asked for their removal: longer than any query, short for a full disk."""

_LOGGER: Final = logging.getLogger(__name__)


class Maintenance:
    """Keeps a table in shape until it is stopped."""

    def __init__(self, table: LogTable, settings: StoreSettings, clock: Clock, accounts: Accounts) -> None:
        self._table = table
        self._settings = settings
        self._clock = clock
        self._accounts = accounts
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-maintain", daemon=True)
        self._pressed_until_ns = 0
        self._lease = table.place.lease("keeper")
        self._register()

    def start(self) -> None:
        """Begin, with the first round after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the step at hand and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(TailraceError):  # then others take it when it expires
            self._lease.release()

    def round(self) -> None:
        """Do everything that is due, once; each part on its own, so that one failure leaves the others."""
        tidy = ("mirror", self._table.place.tidy)
        keep = (("vacuum", self._vacuum), ("retain", self._retain), ("compact", self._compact))
        for part, step in (tidy, *(keep if self._keeps() else ())):
            if self._stopping.is_set():
                return
            try:
                step()
            except TailraceError as error:
                _LOGGER.warning("upkeep: %s: %s", part, error)
                self._count("failures", "Rounds of upkeep that failed.", 1, part=part)

    def _run(self) -> None:
        while not self._clock.wait(self._stopping, self._settings.maintain_interval_s):
            self.round()
            memory.give_back()  # the sink does so when it is quiet; here for one that never is

    def _keeps(self) -> bool:
        """Tell whether this server is the one that keeps the table."""
        try:
            return self._lease.held()
        except TailraceError as error:
            _LOGGER.warning("upkeep: %s", error)
            self._count("failures", "Rounds of upkeep that failed.", 1, part="lease")
            return False

    def _stop(self) -> bool:
        """Tell whether to stop between two merges: the process ends, or another server keeps the table now."""
        return self._stopping.is_set() or not self._lease.held()

    def _vacuum(self) -> None:
        pressed = self._clock.now_ns() < self._pressed_until_ns
        grace_s = min(PRESSED_GRACE_S, self._settings.grace_s) if pressed else None
        done = vacuum(self._table, now_ns=self._clock.now_ns(), grace_s=grace_s)
        self._count("vacuumed_files", "Removed files taken off the disk.", done.files)

    def _retain(self) -> None:
        done = retain(self._table, now_ns=self._clock.now_ns())
        if set(done.by) - {"days"}:
            self._pressed_until_ns = self._clock.now_ns() + round(self._settings.grace_s * NS_PER_S)
        self._count("retained_rows", "Rows dropped by retention.", done.rows)
        self._count("retained_bytes", "Bytes dropped by retention.", done.bytes)

    def _compact(self) -> None:
        if not self._settings.compaction:
            return
        done = compact(self._table, now_ns=self._clock.now_ns(), stopping=self._stop, beside=True)
        self._count("compacted_files", "Small segments joined into larger ones.", done.files_before)
        self._count("compacted_bytes", "Bytes of the segments that were joined.", done.bytes_before)

    def _count(self, name: str, text: str, amount: float, **labels: str) -> None:
        self._accounts.count(f"tailrace_store_{name}_total", text, amount, **labels)

    def _register(self) -> None:
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "files": ("Segments of the table.", lambda: self._table.snapshot().files.height),
            "rows": ("Rows of the table.", lambda: float(self._table.snapshot().files["rows"].sum())),
            "bytes": ("Bytes of the table's segments.", lambda: float(self._table.snapshot().files["bytes"].sum())),
            "version": ("Version of the table.", lambda: self._table.snapshot().version),
            "torn_commits": ("Torn commits set aside since the start.", lambda: len(self._table.set_aside)),
        }
        for name, (text, value) in gauges.items():
            self._accounts.gauge(f"tailrace_store_{name}", text, _samples(value))


def _samples(value: Callable[[], float]) -> Callable[[], Iterable[Sample]]:
    """Return a gauge's samples; a table that cannot be read gives none, so that the other metrics are still served."""

    def samples() -> Iterable[Sample]:
        try:
            return [({}, value())]
        except TailraceError:
            return []

    return samples
