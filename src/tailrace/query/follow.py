"""Follow a log query: the lines of each commit since the last look.

`poll` never waits; who calls decides how often. Lines come in arrival order from poll to poll, in order of
time within one. They are taken by commit, not by time, so a line with an old time stamp is shown when it
arrives. Compaction brings nothing new.

The place between two polls is a version of the table: whoever knows the version that a follower had come to goes on
there with another one, without a hole or a repeat, for as long as removed segments stay on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import QueryError
from tailrace.limits import LIVE_ROWS, QUERY_TIMEOUT_S
from tailrace.query.afresh import afresh
from tailrace.query.lines import EVERYTHING, SAME, Window, answer, distinct, in_order, read, stacked
from tailrace.query.parser import parse
from tailrace.query.plan import plan, plan_segments, rows_of
from tailrace.query.reads import Reading, Span
from tailrace.query.result import Lines, Stats
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from tailrace.contracts import Engine, Segments, Snapshot, Table

EVER: Final = 2**62
"""A time in ns that no line reaches."""

COUNTED_ROWS: Final = 2_000_000
"""Rows that one look goes over to count lines that it does not show; of more of them only a least number is known."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came between two looks: the newest lines, and how many there were in all."""

    lines: Lines
    total: int
    late: int  # of them, those with a time before the one that was asked for
    exact: bool = True  # false: there were more than `total`, or some are gone already
    version: int = 0  # where the next look begins
    times: tuple[int, int] | None = None  # of the first and the last of them, as far as they were looked at


@dataclass(frozen=True, slots=True)
class _Count:
    """Lines of some segments; those with a time before a given one; the times of the first and the last."""

    total: int
    late: int
    times: tuple[int, int] | None

    @classmethod
    def of(cls, times: pl.Series, late_before_ns: int | None) -> _Count:
        """Count lines by their times."""
        late = 0 if late_before_ns is None else int((times < late_before_ns).sum())
        return cls(len(times), late, (int(times.min()), int(times.max())) if len(times) else None)  # type: ignore[arg-type]  # Int64: not null here

    def __add__(self, other: _Count) -> _Count:
        both = [times for times in (self.times, other.times) if times]
        times = (min(first for first, _ in both), max(last for _, last in both)) if both else None
        return _Count(self.total + other.total, self.late + other.late, times)


class Follower:
    """One follower of one log query; not to be shared between threads.

    `history` lines that are there already come with the first poll. A poll shows at most `limit` lines, the newest, and
    says when there were more. `after` is the version that an earlier follower had come to; without it, or with one that
    the table has not reached, only what comes from now on is new.
    """

    def __init__(
        self,
        query: str,
        table: Table,
        engine: Engine,
        *,
        history: int = 0,
        history_start_ns: int = -EVER,
        limit: int = LIVE_ROWS,
        after: int | None = None,
    ) -> None:
        parsed = parse(query)
        if not isinstance(parsed, LogQuery):
            raise QueryError("only a log query can be followed", hint='ask for lines, as in {host=~".+"}')
        self._query = parsed
        self._table = table
        self._engine = engine
        self._limit = limit
        self._history: Window | None = None
        if history:
            self._history = Window(history_start_ns, EVER, min(history, limit), "backward")
        newest = table.snapshot().version
        self._version = newest if after is None or after > newest else after

    @property
    def version(self) -> int:
        """The version of the table that was looked at last."""
        return self._version

    def poll(self) -> Lines:
        """Return the lines that arrived since the last poll."""
        if self._history is not None:
            return afresh(partial(self._past, self._history))
        return self._look(None).lines

    def arrived(self, late_before_ns: int) -> Arrived:
        """Return the lines that arrived since the last poll, and count all of them; history is none of this."""
        return self._look(late_before_ns)

    def _look(self, late_before_ns: int | None) -> Arrived:
        snapshot = self._table.snapshot()
        if snapshot.version == self._version:
            nothing = Lines(in_order(stacked([]), Window(-EVER, EVER, 0, "backward")), Stats())
            return Arrived(nothing, 0, 0, version=self._version)
        fresh = snapshot.added_since(self._version)
        window = Window(-EVER, EVER, self._limit + 1, "backward")
        lines = afresh(partial(self._arrived, fresh, window, snapshot))
        self._version = snapshot.version
        if lines is None:
            warning = "some lines were compacted away before they could be shown here; a query finds them"
            lines = Lines(in_order(stacked([]), window), Stats(), complete=False, warnings=(warning,))
            return Arrived(lines, 0, 0, exact=False, version=self._version)
        shown = Lines(lines.frame.head(self._limit).reverse(), lines.stats)
        over, counted = lines.frame.height > self._limit, None
        if over:
            warning = f"more than {self._limit} lines arrived at once; the oldest of them are not shown"
            shown = Lines(shown.frame, lines.stats, complete=False, warnings=(warning,))
            counted = None if late_before_ns is None else self._counted(fresh, snapshot, late_before_ns)
        if counted is None:
            some = _Count.of(lines.frame["_time_ns"], late_before_ns)
            return Arrived(shown, some.total, some.late, exact=not over, version=self._version, times=some.times)
        return Arrived(shown, counted.total, counted.late, version=self._version, times=counted.times)

    def _counted(self, fresh: Segments, snapshot: Snapshot, late_before_ns: int) -> _Count | None:
        """Return how many lines of new segments pass; None where they are too many to look at, or vanished."""
        reading = Reading(self._engine, Stats(), QUERY_TIMEOUT_S)
        counted = _Count(0, 0, None)
        pushed: list[pl.DataFrame] = []  # lines that a sender may have pushed twice, see `distinct`
        try:
            found = plan_segments(self._query, EVERYTHING, (-EVER, EVER), snapshot, reading.engine, fresh)
            if sum(rows_of(branch.segments) for branch in found.branches) > COUNTED_ROWS:
                return None
            for branch in found.branches:
                for frame in read(branch, branch.segments, Span(-EVER, EVER), reading):
                    again = [name for name in (SAME,) if name in frame.columns]
                    kept = frame.select("_time_ns", *again)
                    whole = kept.filter(pl.col(SAME).is_null()) if again else kept
                    pushed += [kept.filter(pl.col(SAME).is_not_null())] if again else []
                    counted += _Count.of(whole["_time_ns"], late_before_ns)
        except FileNotFoundError:
            return None
        once = distinct(pl.concat(pushed)) if pushed else pl.DataFrame({"_time_ns": []}, schema={"_time_ns": pl.Int64})
        return counted + _Count.of(once["_time_ns"], late_before_ns)

    def _arrived(self, fresh: Segments, window: Window, snapshot: Snapshot) -> Lines | None:
        """Return the lines of new segments; None if these vanished, which no later snapshot brings back."""
        reading = Reading(self._engine, Stats(), QUERY_TIMEOUT_S)
        try:
            found = plan_segments(self._query, EVERYTHING, (-EVER, EVER), snapshot, reading.engine, fresh)
            return answer(found, window, reading)
        except FileNotFoundError:
            return None

    def _past(self, window: Window) -> Lines:
        """Return the lines that were there at the beginning, and go on from there."""
        reading, snapshot = Reading(self._engine, Stats(), QUERY_TIMEOUT_S), self._table.snapshot()
        found = plan(self._query, EVERYTHING, (window.start_ns, window.end_ns), snapshot, reading.engine)
        lines = answer(found, window, reading)
        self._version, self._history = snapshot.version, None
        return Lines(lines.frame.reverse(), lines.stats)
