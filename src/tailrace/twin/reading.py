"""Read the twin: the living paths as of now, as of a version of the table, or as of an instant.

Now is the table's newest version and what `logs` has after it. An instant is the newest version that was committed by
then and the events up to it, taken from `logs` a little further back than needed: a replay of all that came last
changes nothing. Where no version is that old, the events alone have to do, and the answer says that it may lack what
was there before the first of them (`complete`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.ecs import MOMENT
from tailrace.errors import QueryError
from tailrace.twin import events, table, tree
from tailrace.twin.gaps import open_gaps
from tailrace.twin.records import EVENT, FILE, of_events
from tailrace.twin.state import build, extend
from tailrace.twin.table import FilesTable
from tailrace.twin.usage import UsageTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Engine, Snapshot
    from tailrace.store.table import LogTable
    from tailrace.twin.state import State
    from tailrace.twin.table import FilesSnapshot

GAPS_S: Final = 10.0
"""Time for which a count of open gaps is good enough to be shown beside an answer."""

OVERLAP_NS: Final = 3_600 * NS_PER_S
"""How far before a version's commit events are replayed: those that came late are among them."""


@dataclass(frozen=True, slots=True)
class View:
    """The living paths at one moment, and what they were made of."""

    state: State = field(repr=False)
    as_of_ns: int
    version: int  # of the table `files`; -1: made of events alone
    pending: int  # records that are not condensed: of the table's tail, and events after it
    complete: bool = True

    def rows(self, hosts: Sequence[str] | None = None, top: str = "/") -> pl.LazyFrame:
        """Return the living paths at or below a path: `host`, `path` and the columns of `records.FILE`."""
        return self.state.rows(hosts, top)


class Twin:
    """Answers from the table `files` and from `logs`; any thread may ask. Holds the newest view only."""

    def __init__(self, logs: LogTable, engine: Engine, clock: Clock) -> None:
        self.files = FilesTable(logs.place.beside("files"))
        self.usage = UsageTable(logs.place.beside("files_usage"))
        self.logs = logs
        self.engine = engine
        self.clock = clock
        self._lock = threading.Lock()
        self._view: View | None = None
        self._gaps: tuple[float, int] | None = None
        self._made: tuple[int, int] = (
            -2,
            -2,
        )  # the condensing of `files` and the version of `logs` that it was made of

    def now(self) -> View:
        """Return the present state; made anew only when the table was condensed, else new events are added to it."""
        with self._lock:
            snapshot, logs = self.files.snapshot(), self.logs.snapshot()  # in this order: events are in one or both
            view = self._view
            if view is None or self._made[0] != snapshot.condensed:
                view = self._of(snapshot, self._newer(logs, snapshot.taken), self.clock.now_ns())
            elif self._made[1] < logs.version:
                newer = self._newer(logs, self._made[1])
                view = replace(view, state=extend(view.state, newer), pending=view.pending + newer.height)
            self._made = (snapshot.condensed, logs.version)
            self._view = replace(view, version=snapshot.version, as_of_ns=self.clock.now_ns())
            return self._view

    def at(self, time_ns: int) -> View:
        """Return the state as of an instant."""
        if time_ns >= self.clock.now_ns():
            return self.now()
        anchor = self.files.before(time_ns)
        start_ns = -events.EVER if anchor is None else anchor.committed_ns - OVERLAP_NS
        found = events.between(self.logs.snapshot(), start_ns, time_ns + 1, self.engine)
        view = self._of(table.NOTHING if anchor is None else anchor, of_events(found), time_ns)
        if anchor is not None:
            return view
        first = self.files.versions()
        began = bool(found.height) and bool((found["event_action"] == "initial_scan").any())
        return View(view.state, time_ns, -1, view.pending, complete=began or not first)

    def at_version(self, version: int) -> View:
        """Return the state that one version of the table holds."""
        known = dict(self.files.versions())
        if version not in known:
            span = f"{min(known)} to {max(known)}" if known else "none"
            raise QueryError(f"version={version} of the table of files is not there", hint=f"known: {span}")
        snapshot = self.files.at(version)
        return self._of(snapshot, of_events(pl.DataFrame(schema=dict(EVENT))), snapshot.committed_ns)

    def gaps(self) -> int:
        """Return how many gaps are open, as of a few seconds ago."""
        counted, seconds = self._gaps, self.clock.monotonic_s()
        if counted is None or seconds - counted[0] > GAPS_S:
            counted = self._gaps = (seconds, open_gaps(self.logs.snapshot(), self.engine).height)
        return counted[1]

    def known(self, host: str, roots: Sequence[str]) -> pl.DataFrame:
        """Return one row per living path of a host at or below the roots, with the `file_*` columns of `ecs`."""
        view = self.now()
        parts = [view.rows([host], tree.slashed_text(root)).collect(engine="streaming") for root in roots]
        rows = pl.concat(parts) if parts else pl.DataFrame(schema={"path": pl.String(), **FILE})
        rows = rows.unique("path")
        moments = {name: pl.from_epoch(f"{name}_ns", "ns").dt.strftime(MOMENT) for name in ("mtime", "ctime")}
        rows = rows.with_columns(**moments)
        names = {"path": "file_path", **{name.removesuffix("_ns"): f"file_{name.removesuffix('_ns')}" for name in FILE}}
        return rows.with_columns(tree.native(pl.col("path"))).select(
            pl.col(name).alias(column) for name, column in names.items()
        )

    def _newer(self, logs: Snapshot, version: int) -> pl.DataFrame:
        return of_events(events.newest(self.logs, logs, version, self.engine))

    def _of(self, snapshot: FilesSnapshot, fresh: pl.DataFrame, as_of_ns: int) -> View:
        tail = table.scan(snapshot.part("tail")["path"].to_list()).collect()
        acts = table.scan(snapshot.part("gone")["path"].to_list()).collect()
        later = pl.concat([tail, fresh])
        state = build(snapshot.part("live")["path"].to_list(), later, acts)
        return View(state, as_of_ns, snapshot.version, later.height)
