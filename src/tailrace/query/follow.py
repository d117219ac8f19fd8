"""Follow a log query: the lines of each commit since the last look.

`poll` never waits; who calls decides how often. Lines come in arrival order from poll to poll, in order of
time within one. They are taken by commit, not by time, so a line with an old time stamp is shown when it
arrives. Compaction brings nothing new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.limits import LIVE_ROWS, QUERY_TIMEOUT_S
from tailrace.query.lines import EVERYTHING, Window, answer, in_order, stacked
from tailrace.query.parser import parse
from tailrace.query.plan import plan, plan_segments
from tailrace.query.reads import Reading
from tailrace.query.result import Lines, Stats
from tailrace.query.syntax import LogQuery

if TYPE_CHECKING:
    from tailrace.contracts import Engine, Snapshot, Table

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
        snapshot = self._table.snapshot()
        history, self._history = self._history, None
        if history is not None:
            self._version = snapshot.version
            return self._past(history, snapshot)
        reading = Reading(self._engine, Stats(), QUERY_TIMEOUT_S)
        fresh = snapshot.added_since(self._version)
        window = Window(-EVER, EVER, self._limit + 1, "backward")
        self._version = snapshot.version
        try:
            found = plan_segments(self._query, EVERYTHING, (-EVER, EVER), snapshot, self._engine, fresh)
            lines = answer(found, window, reading)
        except FileNotFoundError:
            warning = "some lines were compacted away before they could be shown here; a query finds them"
            return Lines(in_order(stacked([]), window), reading.stats, complete=False, warnings=(warning,))
        frame = lines.frame.head(self._limit).reverse()
        if lines.frame.height <= self._limit:
            return Lines(frame, lines.stats)
        warning = f"more than {self._limit} lines arrived at once; the oldest of them are not shown"
        return Lines(frame, lines.stats, complete=False, warnings=(warning,))

    def _past(self, window: Window, snapshot: Snapshot) -> Lines:
        reading = Reading(self._engine, Stats(), QUERY_TIMEOUT_S)
        found = plan(self._query, EVERYTHING, (window.start_ns, window.end_ns), snapshot, self._engine)
        lines = answer(found, window, reading)
        return Lines(lines.frame.reverse(), lines.stats)
