"""The world of one test: an empty table, a control database, a clock that stands still until it is moved.

Rules are evaluated by what evaluates them in a server: the same evaluator, states, queries and store. Lines that come
late are committed when the clock reaches the time at which they become known, so they correct what was evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.evaluate.contracts import Answers, Complete
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.evaluate.service import added
from tailrace.alerts.evaluate.verdict import Answer
from tailrace.alerts.kept.recordings import Recordings
from tailrace.alerts.kept.samples import SamplesTable
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.rules.templates import Templates
from tailrace.alerts.unit_tests.series import NamedSeries
from tailrace.batch import Batch, field_column, stack, stream_text
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.control import Control
from tailrace.control.lease import Lease
from tailrace.engines.polars import PolarsEngine
from tailrace.parse import level
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tailrace.alerts.model import Alert, Group, Rule
    from tailrace.alerts.unit_tests.settings import Fault, InputLogs, LogLines, RuleTest
    from tailrace.query.syntax import Selector

_HOLDER: Final = "test"


class World:
    """One test's world; it begins at the test's start."""

    def __init__(self, folder: Path, groups: Sequence[Group], test: RuleTest, interval_ns: int) -> None:
        self.groups = tuple(groups)
        self._clock = ManualClock(test.start_ns)
        self._start_ns = test.start_ns
        self._faults = [_Fault.of(each, test.start_ns, interval_ns) for each in test.faults]
        self.table = LogTable.open(folder, create=True)
        self.control = Control.open(folder)
        self.engine = PolarsEngine()
        recordings = Recordings(self.control, SamplesTable(folder))
        self.series = NamedSeries(recordings, test.input_series, test.start_ns, interval_ns)
        self._ask = TableAsk(self.table, self.engine, recorded=self.series)
        self._fill = Templates(
            self._ask, self._clock, external_labels=test.external_labels, external_url=test.external_url
        )
        self._waiting = _lines_of(test.input_logs, test.start_ns)
        self._arrive()
        self._looked: int | None = added(self.table, None)[1]
        self._serve()

    def close(self) -> None:
        """Close the control database."""
        self.control.close()

    @property
    def now_ns(self) -> int:
        """The time on the clock."""
        return self._clock.now_ns()

    @property
    def quiet_ns(self) -> int:
        """The time from which on nothing comes late, and nothing goes wrong any more."""
        known = self._waiting["_known_ns"].max() if self._waiting.height else self._start_ns
        return max(int(str(known)), *(fault.to_ns for fault in self._faults), self._start_ns)

    def go_to(self, now_ns: int) -> None:
        """Move the clock and do what a server does then."""
        restarts = [one for one in self._faults if one.what == "restart" and self.now_ns < one.from_ns <= now_ns]
        down = self._is("down")
        self._clock.advance((now_ns - self.now_ns) / NS_PER_S)
        self._arrive()
        if self._is("down"):
            return
        if down or restarts:
            self._serve()
        self._lease.take(now_ns)
        late, version = added(self.table, self._looked)
        if late:
            self.evaluator.correct(self.groups, late, now_ns, version)
        self._looked = version
        while self.evaluator.round(self.groups, now_ns, version):
            pass

    def alerts(self, rule: Rule) -> Mapping[str, Alert]:
        """Return the alerts of a rule."""
        standing = self.evaluator.standing(rule.id)
        return {} if standing is None else standing.alerts

    def outcome(self, rule: Rule) -> str:
        """Return what the last evaluation of a rule gave; nothing before the first."""
        standing = self.evaluator.standing(rule.id)
        return "nothing" if standing is None else standing.progress.outcome

    # --- the server -----------------------------------------------------------------------------

    def _serve(self) -> None:
        self._lease = Lease(self.control, _HOLDER)
        self._lease.take(self.now_ns)
        self.store = AlertStore(self.control, self._lease)
        self.evaluator = Evaluator(self.store, self._answers, self._fill, self._complete)
        self.evaluator.load()

    def _answers(self, asked: str, times: range) -> Answers:
        for fault in self._now("error", "timeout"):
            said = f"the query failed, as the test wants it ({fault.what})"
            return Answers({at_ns: Answer(at_ns, error=said) for at_ns in times})
        return self._ask(asked, times)

    def _complete(self, _selectors: Sequence[Selector], now_ns: int) -> Complete:
        since = [fault.from_ns for fault in self._now("late")]
        return Complete(min(since), ("source",)) if since else Complete(now_ns)

    def _is(self, what: str) -> bool:
        return bool(self._now(what))

    def _now(self, *what: str) -> list[_Fault]:
        return [one for one in self._faults if one.what in what and one.from_ns <= self.now_ns < one.to_ns]

    # --- lines ----------------------------------------------------------------------------------

    def _arrive(self) -> None:
        """Commit the lines that are known by now."""
        known = pl.col("_known_ns") <= self.now_ns
        lines, self._waiting = self._waiting.filter(known).drop("_known_ns"), self._waiting.filter(~known)
        if lines.height:
            size = int(lines["_line"].str.len_bytes().sum()) + lines.height
            self.table.commit([Batch(lines, _HOLDER, lines.height, size)])


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong from one time on, before another."""

    what: str
    from_ns: int
    to_ns: int

    @classmethod
    def of(cls, fault: Fault, start_ns: int, interval_ns: int) -> _Fault:
        from_ns = start_ns + fault.at_ns
        lasts_ns = interval_ns if fault.for_ns is None else fault.for_ns
        return cls(fault.query or fault.source or fault.server or "", from_ns, from_ns + lasts_ns)


def _lines_of(logs: Sequence[InputLogs], start_ns: int) -> pl.DataFrame:
    """Return all lines, and from when on each is known.

    Those without delay are known from the start: no window looks into the future. So they are one commit.
    """
    frames = [_frame(stream.stream, lines, start_ns) for stream in logs for lines in stream.lines]
    if not frames:
        return pl.DataFrame(schema={"_known_ns": pl.Int64, "_line": pl.String})
    frame = stack(frames)
    return frame.with_columns(level.from_text(frame["_line"]).alias("_level"))


def _frame(stream: Mapping[str, str], lines: LogLines, start_ns: int) -> pl.DataFrame:
    first_ns = start_ns + lines.at_ns
    times = pl.int_range(lines.count, dtype=pl.Int64, eager=True) * lines.every_ns + first_ns
    return pl.DataFrame({"_time_ns": times}).with_columns(
        (pl.col("_time_ns") + lines.delay_ns if lines.delay_ns else pl.lit(start_ns, pl.Int64)).alias("_known_ns"),
        pl.lit(start_ns, pl.Int64).alias("_observed_ns"),
        pl.lit(stream_text(stream)).alias("_stream"),
        pl.lit(lines.text).alias("_line"),
        *(pl.lit(value).alias(field_column(name)) for name, value in lines.fields.items()),
    )
