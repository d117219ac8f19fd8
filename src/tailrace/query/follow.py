"""Follow a log query: the lines of each commit since the last look.

`poll` never waits; who calls decides how often. Lines come in arrival order from poll to poll, in order of
time within one. They are taken by commit, not by time, so a line with an old time stamp is shown when it
arrives. Compaction brings nothing new.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.limits import LIVE_ROWS, QUERY_TIMEOUT_S
from tailrace.query.afresh import afresh
from tailrace.query.lines import EVERYTHING, Window, answer, in_order, stacked
from tailrace.query.parser import parse
from tailrace.query.plan import plan, plan_segments
from tailrace.query.reads import Reading
from tailrace.query.result import Lines, Stats
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from tailrace.contracts import Engine, Segments, Snapshot, Table

EVER: Final = 2**62
"""A time in ns that no line reaches."""


class Follower:
    """One follower of one log query; not to be shared between threads.

    `history` lines that are there already come with the first poll. A poll shows at most `limit` lines, the newest, and
    says when there were more.
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
        self._version = table.snapshot().version

    def poll(self) -> Lines:
        """Return the lines that arrived since the last poll."""
        if self._history is not None:
            return afresh(partial(self._past, self._history))
        snapshot = self._table.snapshot()
        fresh = snapshot.added_since(self._version)
        window = Window(-EVER, EVER, self._limit + 1, "backward")
        lines = afresh(partial(self._arrived, fresh, window, snapshot))
        self._version = snapshot.version
        if lines is None:
            warning = "some lines were compacted away before they could be shown here; a query finds them"
            return Lines(in_order(stacked([]), window), Stats(), complete=False, warnings=(warning,))
        frame = lines.frame.head(self._limit).reverse()
        if lines.frame.height <= self._limit:
            return Lines(frame, lines.stats)
        warning = f"more than {self._limit} lines arrived at once; the oldest of them are not shown"
        return Lines(frame, lines.stats, complete=False, warnings=(warning,))

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
