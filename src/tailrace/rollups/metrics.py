"""Everything that one server needs to look after metrics, made and put together.

Comes in: a data folder, its control database and table, settings. Goes out: definitions, what queries may be answered
from (`kept`), descriptions and values of metrics, and a thread that keeps the numbers.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final  # Any: JSON of several kinds

import polars as pl

from tailrace.errors import QueryError, TailraceError
from tailrace.exposition import Family, Point
from tailrace.query.result import Series
from tailrace.query.run import Request, run
from tailrace.rollups.definitions import Definitions
from tailrace.rollups.keeper import RollupKeeper
from tailrace.rollups.reading import Rollups
from tailrace.rollups.settings import RollupSettings
from tailrace.rollups.spans import EVER_NS
from tailrace.rollups.table import RollupTable
from tailrace.rollups.views import views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tailrace.clock import Clock
    from tailrace.contracts import Engine
    from tailrace.control import Control
    from tailrace.rollups.model import Metric
    from tailrace.store.table import LogTable
    from tailrace.telemetry import Accounts

NEWEST: Final = 100
"""Values that are shown unless more are asked for."""

SETTLE_NS: Final = 1_000_000_000
"""How long after its end a period counts as over: its last lines are on their way."""

_NOT_EXPOSED: Final = re.compile(r"[^A-Za-z0-9_:]")


@dataclass(frozen=True, slots=True)
class Health:
    """How the numbers of a metric are kept."""

    state: str  # `kept`, `filling` while some lines are still to be read, `failing`, `new` before the first round
    error: str
    newest_ns: int | None  # the end of the last bucket with a line
    rows: int  # buckets and label sets
    pending: list[tuple[int | None, int | None]]  # spans that are read from lines, None: without an end
    behind: int  # versions of the table that are not taken


class Metrics:
    """The metrics of a server; `start` begins to keep their numbers, `stop` ends it."""

    def __init__(
        self,
        control: Control,
        logs: LogTable,
        engine: Engine,
        *,
        clock: Clock,
        accounts: Accounts,
        settings: RollupSettings | None = None,
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings or RollupSettings()
        self._logs, self._engine, self._clock = logs, engine, clock
        self._table = RollupTable(logs.place.beside("rollups"))
        self.definitions = Definitions(control)
        self.kept = Rollups(self._table, logs, self.definitions, clock)
        self._rough = Rollups(self._table, logs, self.definitions, clock, rough=True)
        self.keeper = RollupKeeper(
            self._table, logs, engine, self.definitions, clock, accounts, days=self._settings.days, mine=mine
        )
        if self._settings.expose:
            accounts.include("rollups", self.families)

    def start(self) -> None:
        """Begin to keep numbers, unless the settings say no."""
        if self._settings.keep:
            self.keeper.start()

    def stop(self) -> None:
        """Finish the step at hand and stop."""
        self.keeper.stop()

    def get(self, name: str) -> Metric:
        """Return a metric; `QueryError` if there is none of that name."""
        metric = self.definitions.get(name)
        if metric is None:
            raise QueryError(f"there is no metric {name[:60]!r}")
        return metric

    def health(self, metric: Metric) -> Health:
        """Tell how the numbers of a metric are kept."""
        seen = self._table.snapshot()
        marks = [seen.marks.views.get(view.key) for view in views(metric)]
        found = [mark for mark in marks if mark is not None]
        if len(found) < len(marks):
            return Health("new", "", None, 0, [(None, None)], 0)
        rows = seen.lazy([view.key for view in views(metric)]).select(pl.len(), last=pl.col("end_ns").max()).collect()
        error = next((mark.error for mark in found if mark.error), "")
        pending = sorted({span for mark in found for span in mark.pending})
        shown = [(None if low <= -EVER_NS else low, None if high >= EVER_NS else high) for low, high in pending]
        state = "failing" if error else "filling" if pending else "kept"
        behind = self._logs.snapshot().version - seen.taken
        return Health(state, error, rows["last"].item(), int(rows["len"].item()), shown, behind)

    def stored(self) -> tuple[int, int]:
        """Return how many rows and bytes the numbers of all metrics take."""
        files = self._table.snapshot().rows_files()
        return int(files["rows"].sum()), int(files["bytes"].sum())

    def values(self, metric: Metric, start_ns: int, end_ns: int) -> Series:
        """Return the values of the periods that end from `start_ns` to `end_ns`; warnings say what is not exact."""
        period = metric.period_ns
        first, last = -(-start_ns // period) * period, end_ns // period * period
        if last < first:
            hint = f"the periods of {metric.name} are {period / 1e9:g} s long"
            raise QueryError("no period ends in the range of time", hint=hint)
        request = Request(metric.expr, first, last, period, aligned=False)
        found = run(request, self._logs, self._engine, self._rough)
        assert isinstance(found, Series), "metrics are metric queries"
        return found

    def over_ns(self, metric: Metric) -> int:
        """Return the end of the newest period that is over."""
        return (self._clock.now_ns() - SETTLE_NS) // metric.period_ns * metric.period_ns

    def families(self) -> Iterator[Family]:
        """Return the values of each metric's newest period that is over; one that cannot be had is left out."""
        for metric in self.definitions.list():
            end_ns = self.over_ns(metric)
            try:
                found = self.values(metric, end_ns, end_ns)
            except TailraceError:
                continue
            points = [Point(found.labels[series], value) for series, _, value in found.frame.iter_rows()]
            yield Family(_NOT_EXPOSED.sub("_", metric.name), "gauge", metric.expr, points)


def described(metric: Metric, health: Health | None = None) -> Mapping[str, Any]:  # Any: JSON
    """Return a metric as JSON, with how it is kept."""
    told = {
        "name": metric.name,
        "expr": metric.expr,
        "form": asdict(metric.form) if metric.form else None,
        "bucket_ns": metric.bucket_ns,
        "period_ns": metric.period_ns,
        "since_ns": metric.since_ns,
        "created_ns": metric.created_ns,
    }
    return told | ({} if health is None else {"health": asdict(health)})
