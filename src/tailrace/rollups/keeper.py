"""The keeper: one thread that takes new lines of `logs` into the rollups of all metrics, once per commit of them.

What is taken is committed with the version of `logs` that it was read from, in one step. A late line is a row more for
its bucket. A new metric, and lines that were deleted, leave spans that are still to be read; they are filled in by
steps of bounded size, newest first, and a step that a crash undid is done again. Questions read the lines of such
spans, and of commits that were not taken, so nobody waits for the keeper.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
from polars.exceptions import PolarsError

from tailrace import limits, memory
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError, TailraceError, TransientError
from tailrace.query.reads import Reading
from tailrace.query.result import Stats
from tailrace.rollups import states
from tailrace.rollups.changes import changes
from tailrace.rollups.compact import compact
from tailrace.rollups.lines import by_bucket
from tailrace.rollups.marks import Mark
from tailrace.rollups.spans import EVER_NS, buckets, common, inside, without
from tailrace.rollups.taking import Taken, rewritten
from tailrace.rollups.views import views_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.clock import Clock
    from tailrace.contracts import Engine, Segments
    from tailrace.rollups.changes import Changes
    from tailrace.rollups.definitions import Definitions
    from tailrace.rollups.spans import Span
    from tailrace.rollups.table import RollupSnapshot, RollupTable
    from tailrace.rollups.views import View
    from tailrace.store.scan import LogSnapshot
    from tailrace.store.table import LogTable
    from tailrace.telemetry import Accounts, Sample

INTERVAL_S: Final = 10.0
"""Seconds between rounds: answers have what was not taken yet, so there is no hurry, and a round has its price."""

TIDY_S: Final = 600.0
"""Seconds between rounds of upkeep."""

AGAIN_S: Final = 600.0
"""Seconds after which a span that could not be read is tried again."""

STEP_S: Final = 3_600
"""The least time that one step of filling in reads, however many lines lie there."""

_TIMEOUT_S: Final = 3_600.0
_NONE: Final = pl.DataFrame()
_FAILURES: Final = (QueryError, PolarsError)
_LOGGER: Final = logging.getLogger(__name__)


class RollupKeeper:
    """Keeps the rollups of a table until it is stopped; `mine` tells whether that is this server's job."""

    def __init__(
        self,
        rollups: RollupTable,
        logs: LogTable,
        engine: Engine,
        definitions: Definitions,
        clock: Clock,
        accounts: Accounts,
        *,
        days: float | None = None,
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._rollups, self._logs, self._engine = rollups, logs, engine
        self._definitions, self._clock, self._accounts = definitions, clock, accounts
        self._days, self._mine = days, mine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollups", daemon=True)
        self._due_s = 0.0
        self._again_s: dict[str, float] = {}  # views that failed, and when they are tried again
        for name, text in (("versions", "Versions of the table behind."), ("pending", "Spans still to be read.")):
            accounts.gauge(f"tailrace_rollups_{name}", text, partial(self._samples, name))

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
        for step in (self.catch_up, self._upkeep):
            if self._stopping.is_set() or not self._mine():
                return
            try:
                step()
            except (TailraceError, OSError, PolarsError) as error:
                _LOGGER.warning("rollups: %s", error)
                self._accounts.count("tailrace_rollups_failures_total", "Rounds of upkeep of rollups that failed.")

    def catch_up(self) -> None:
        """Take what is new and fill in what is still to be read; `TransientError` if somebody else does so now."""
        known = views_of(self._definitions.list())
        seen = self._rollups.snapshot()
        if not known and not seen.marks.views:
            return
        snapshot = self._logs.snapshot()
        seen = self._take(known, snapshot, seen)
        for view in known:
            while not self._stopping.is_set() and self._mine() and self._due(view, seen):
                seen = self._fill(view, snapshot, seen)

    # --- taking ---------------------------------------------------------------------------------

    def _take(self, known: Sequence[View], snapshot: LogSnapshot, seen: RollupSnapshot) -> RollupSnapshot:
        """Take the commits since the last taking into all views, and begin new views."""
        marks = mine = seen.marks.only([view.key for view in known])
        taken: list[Taken] = []
        if mine.views and snapshot.version > seen.taken:
            new = changes(self._logs, seen.taken, snapshot)
            begun = [view for view in known if view.key in mine.views]
            taken = [self._taken(view, seen, new, snapshot) for view in begun]
            for one in taken:
                marks = marks.with_view(one.view, one.mark)
        for view in known:
            if view.key not in mine.views:
                marks = marks.with_view(view.key, _begin(view, snapshot))
        if snapshot.version == seen.taken and marks == seen.marks:
            return seen
        removed, add = rewritten(seen, taken)
        rows = [one.rows for one in taken if one.rows.height]
        add = [("tail", pl.concat(rows, how="diagonal")), *add] if rows else add
        self._commit(
            seen, add=add, remove=removed, marks=marks if marks != seen.marks else None, taken=snapshot.version
        )
        self._count(sum(frame.height for frame in rows))
        return self._rollups.snapshot()

    def _taken(self, view: View, seen: RollupSnapshot, new: Changes, snapshot: LogSnapshot) -> Taken:
        """Return the rows of new lines, those of lines that retire, and what then holds."""
        mark = seen.marks.views[view.key]
        before = mark.pending
        mark = mark.spoiled(_whole(new.spans, view.bucket_ns))
        quiet, shared = _retiring(view, mark, new.retired.frame, snapshot)
        apart = without(
            [*shared, *common([_covered(view, new.retired.frame)], mark.pending)], [(-EVER_NS, mark.since_ns)]
        )
        mark = mark.spoiled(shared)
        found = []
        try:
            wanted = common([_covered(view, new.added.frame)], mark.known())
            found.append(self._rows(view, wanted, new.added, snapshot))
            mark = mark.spoiled(_turned(view, wanted, found[0], seen))
            retired = self._rows(view, apart, new.retired, snapshot)
            found.append(retired.with_columns(retired=pl.lit(value=True)) if retired.height else retired)
        except _FAILURES as error:
            mark = mark.spoiled([_covered(view, new.added.frame)], self._failed(view, error))
            found = []
        rows = pl.concat([part for part in found if part.height], how="diagonal") if any(map(len, found)) else _NONE
        one = Taken(view.key, mark, rows, tuple(without(mark.pending, before)), tuple(quiet))
        return replace(one, rows=one.held(rows)) if rows.height else one

    def _rows(self, view: View, spans: Sequence[Span], segments: Segments, snapshot: LogSnapshot) -> pl.DataFrame:
        """Return the rows of lines of some files in some spans."""
        if not spans or not segments.frame.height:
            return _NONE
        rows = by_bucket(view, (spans[0][0], spans[-1][1]), snapshot, self._reading(), segments)
        return rows.filter(inside(pl.col("end_ns"), spans)) if rows.height else rows

    # --- filling in -----------------------------------------------------------------------------

    def _due(self, view: View, seen: RollupSnapshot) -> bool:
        return bool(seen.marks.views[view.key].pending) and self._clock.monotonic_s() >= self._again_s.get(view.key, 0)

    def _fill(self, view: View, snapshot: LogSnapshot, seen: RollupSnapshot) -> RollupSnapshot:
        """Read the newest lines of a view that are still to be read, a bounded number of them."""
        if seen.taken != snapshot.version:
            raise TransientError(f"{self._rollups.where}: another process keeps these rollups now")
        mark = seen.marks.views[view.key]
        span = _step(mark.pending[-1], view.bucket_ns, snapshot)
        try:
            rows = self._read(view, span, snapshot)
        except _FAILURES as error:
            rows, mark = _NONE, mark.spoiled([], self._failed(view, error))
        else:
            mark = mark.filled(span)
        if mark != seen.marks.views[view.key]:
            self._commit(seen, add=[("tail", rows)], marks=seen.marks.with_view(view.key, mark))
            self._count(rows.height)
        return self._rollups.snapshot()

    def _read(self, view: View, span: Span, snapshot: LogSnapshot) -> pl.DataFrame:
        """Return the rows of a span, which may be without an end."""
        frame = snapshot.segments(span[0] + 1, span[1] + 1).frame.filter(pl.col("rows") > 0)
        if not frame.height:
            return _NONE
        inner = common([span], [_covered(view, frame)])
        return by_bucket(view, inner[0], snapshot, self._reading(), None)

    def _failed(self, view: View, error: QueryError | PolarsError) -> str:
        """Say why a view cannot be read, and try it again later; a stop is no failure of it."""
        if self._stopping.is_set():
            raise TransientError("the keeper was stopped") from error
        self._again_s[view.key] = self._clock.monotonic_s() + AGAIN_S
        return error.one_line() if isinstance(error, QueryError) else str(error).partition("\n")[0]

    # --- upkeep ---------------------------------------------------------------------------------

    def _upkeep(self) -> None:
        seen = self._rollups.snapshot()
        if seen.version < 0:
            return
        known = {view.key: view for view in views_of(self._definitions.list())}
        oldest = None if self._days is None else self._clock.now_ns() - round(self._days * 86_400 * NS_PER_S)
        compact(self._rollups, known, oldest)
        if self._clock.monotonic_s() >= self._due_s:
            self._due_s = self._clock.monotonic_s() + TIDY_S
            self._rollups.tidy(self._clock.now_ns())

    def _commit(self, seen: RollupSnapshot, **what: object) -> None:
        if not self._rollups.commit(seen, **what):  # type: ignore[arg-type]  # the keywords of `commit`, checked above
            raise TransientError(f"{self._rollups.where}: another process keeps these rollups now")

    def _count(self, rows: int) -> None:
        self._accounts.count("tailrace_rollups_rows_total", "Rows of rollups made of lines.", rows)

    def _reading(self) -> Reading:
        return Reading(self._engine, Stats(), _TIMEOUT_S, self._stopping.is_set, lasting=False)

    def _run(self) -> None:
        while True:
            self.round()
            memory.give_back()
            if self._clock.wait(self._stopping, INTERVAL_S):
                return

    def _samples(self, name: str) -> list[Sample]:
        try:
            seen = self._rollups.snapshot()
            if not seen.marks.views:
                return []
            if name == "versions":
                return [({}, float(self._logs.snapshot().version - seen.taken))]
            return [({}, float(sum(len(mark.pending) for mark in seen.marks.views.values())))]
        except TailraceError:
            return []


def _covered(view: View, files: pl.DataFrame) -> Span:
    """Return the span of the buckets that lines of files lie in; an empty one if there is no line."""
    times = files.filter(pl.col("rows") > 0).select(pl.col("min_time_ns").min(), last=pl.col("max_time_ns").max())
    first, last = times.row(0)
    return (0, 0) if first is None else buckets(first, last, view.bucket_ns)


def _retiring(
    view: View, mark: Mark, retired: pl.DataFrame, snapshot: LogSnapshot
) -> tuple[Sequence[Span], Sequence[Span]]:
    """Return the spans of lines that retire: those whose rows are of these alone, and those shared with other lines."""
    if not retired.height:
        return [], []
    span = _covered(view, retired)
    others = [
        buckets(first, last, view.bucket_ns)
        for first, last in snapshot.files.filter(pl.col("rows") > 0).select("min_time_ns", "max_time_ns").iter_rows()
    ]
    shared = common([span], others) if others else []
    return without([span], [*shared, *mark.pending]), without(shared, mark.pending)


def _turned(view: View, spans: Sequence[Span], rows: pl.DataFrame, seen: RollupSnapshot) -> list[Span]:
    """Return the buckets whose lines must be read together, since those of new rows come among those of old ones."""
    if not (view.kind.whole and rows.height):
        return []
    old = seen.read([view.key], spans).filter(~pl.col("retired"))
    both = pl.concat([old, rows], how="diagonal").select("end_ns", "labels", *view.kind.columns)
    ends = states.by_turns(both, ["end_ns", "labels"])["end_ns"].unique()
    return [(end_ns - view.bucket_ns, end_ns) for end_ns in ends]


def _begin(view: View, snapshot: LogSnapshot) -> Mark:
    """Return the mark of a new view: all lines that there are, from its beginning on, are still to be read."""
    since = -EVER_NS // view.bucket_ns if view.since_ns <= 0 else view.since_ns // view.bucket_ns
    mark = Mark(since * view.bucket_ns)
    last = snapshot.files["max_time_ns"].max()
    return mark.spoiled([(-EVER_NS, buckets(last, last, view.bucket_ns)[1])]) if isinstance(last, int) else mark


def _whole(spans: Sequence[Span], bucket_ns: int) -> list[Span]:
    """Return spans of whole buckets."""
    return [(low // bucket_ns * bucket_ns, -(-high // bucket_ns) * bucket_ns) for low, high in spans]


def _step(span: Span, bucket_ns: int, snapshot: LogSnapshot) -> Span:
    """Return the newest part of a span that has no more lines than one step reads, or is short."""
    low, high = span
    frame = snapshot.segments(low + 1, high + 1).frame.filter(pl.col("rows") > 0)
    if not frame.height:
        return span
    first, last = frame.select(pl.col("min_time_ns").min(), last=pl.col("max_time_ns").max()).row(0)
    inner_low, inner_high = common([span], [buckets(first, last, bucket_ns)])[0]
    least = max(bucket_ns, STEP_S * NS_PER_S)
    at = inner_low
    while inner_high - at > least and _rows(snapshot, at, inner_high) > limits.ROLLUP_STEP_ROWS:
        at = inner_high - max(bucket_ns, (inner_high - at) // 2 // bucket_ns * bucket_ns)
    return (low if at == inner_low else at), high


def _rows(snapshot: LogSnapshot, low: int, high: int) -> int:
    return int(snapshot.segments(low + 1, high + 1).frame["rows"].sum())
