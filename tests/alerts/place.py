"""A data folder with lines, rules that are evaluated over it, and what they recorded: nothing of it is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.evaluate.contracts import Complete, Late
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.model import Group, Rule
from tailrace.batch import Batch, stream_text
from tailrace.control import Control
from tailrace.control.lease import Lease
from tailrace.engines.polars import PolarsEngine
from tailrace.query.run import Request, run
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from pathlib import Path

S = 10**9
MINUTE = 60 * S
START = 1_767_225_600 * S
COUNT = 'sum by (host) (count_over_time({app="x"}[1m]))'


class Place:
    """A server on a data folder; a new one on the same folder is a restart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = LogTable.open(folder, create=True)
        self.control = Control.open(folder)
        self.samples = SamplesTable(folder)
        self.recordings = Recordings(self.control, self.samples)
        self.lease = Lease(self.control, "one")
        self.store = AlertStore(self.control, self.lease)
        self.ask = TableAsk(self.logs, PolarsEngine(), recorded=self.recordings)
        self.evaluator = Evaluator(self.store, self.ask, lambda texts, *_: dict(texts), lambda _, now: Complete(now))

    def lines(self, minute: int, count: int, host: str = "a") -> Late:
        """Add lines ten seconds before the end of a minute."""
        at_ns, stream = START + minute * MINUTE - 10 * S, stream_text({"app": "x", "host": host})
        columns = {"_time_ns": [at_ns], "_observed_ns": [at_ns], "_stream": [stream], "_line": ["boom"]}
        frame = pl.DataFrame(columns).select(pl.all().repeat_by(count).explode())
        self.logs.commit([Batch(frame, "test", count, 4 * count)])
        return Late((stream,), at_ns, at_ns)

    def tick(self, minute: int, *groups: Group) -> int:
        """Evaluate what is due at a minute."""
        self._hold(minute)
        return self.evaluator.round(groups, START + minute * MINUTE)

    def correct(self, minute: int, late: Late, *groups: Group) -> int:
        """Evaluate again what late lines changed."""
        self._hold(minute)
        return self.evaluator.correct(groups, [late], START + minute * MINUTE)

    def _hold(self, minute: int) -> None:
        self.lease.take(START + minute * MINUTE)
        if self.lease.fresh:
            self.evaluator.load()

    def found(self, name: str) -> list[str]:
        """Return the samples of a name as `minute labels value`, a stale mark as `-`; by time, then labels."""
        rows = self.recordings.samples(name, 0, 2**62).sort("_time_ns", "key")
        named = f'__name__="{name}", '
        return [
            f"{(at_ns - START) // MINUTE} {key.replace(named, '')} {'-' if stale else format(value, 'g')}"
            for key, at_ns, value, stale in rows.iter_rows()
        ]

    def query(self, text: str, minute: float) -> dict[str, float]:
        """Answer a query that may name recorded series, at one time."""
        at_ns = START + round(minute * MINUTE)
        found = run(Request(text, at_ns, at_ns), self.logs, PolarsEngine(), recorded=self.recordings)
        keys = [stream_text(labels) for labels in found.labels]
        return {keys[series]: value for series, _, value in found.frame.iter_rows()}


def group(*rules: Rule, **more) -> Group:
    return Group("test", "g", MINUTE, rules, **more)


def record(name: str, expr: str = COUNT, **more) -> Rule:
    return Rule(name, expr, record=name, **more)


def alert(name: str, expr: str, **more) -> Rule:
    return Rule(name, expr, alert=name, **more)
