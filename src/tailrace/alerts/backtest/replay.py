"""Replay a rule over its history: the judge and the states of the running program, window after window. Pure.

Windows in which no series fulfils the condition change nothing while there is no alert; they are passed over by a look
at the columns. Where silence matters, windows in which a known series is silent are played too. So 30 days of minutes
cost little more than the windows in which something is wrong. Everything counts as complete, and nothing is known from
before the first window.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.alerts.evaluate import states
from tailrace.alerts.evaluate.states import KEPT_NS
from tailrace.alerts.evaluate.verdict import Answer, judge, policy
from tailrace.alerts.model import Seen
from tailrace.alerts.rules.expressions import expression
from tailrace.errors import QueryTimeoutError
from tailrace.query.reads import nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.alerts.backtest.history import History
    from tailrace.alerts.evaluate.contracts import Fill
    from tailrace.alerts.model import Alert, Group, Rule
    from tailrace.alerts.rules.expressions import Expression

FLAP_NS: Final = KEPT_NS
"""An alert that fires again so soon after it was over flaps."""

_TESTS: Final[Mapping[str, Callable[[pl.Expr, float], pl.Expr]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Incident:
    """An alert fired from one window to another, or still does."""

    key: str  # its labels
    active_ns: int  # since when the condition was true
    from_ns: int
    to_ns: int | None
    value: float  # when it began to fire

    def lasted_ns(self, end_ns: int) -> int:
        """Return how long it fired, up to now if it still does."""
        return (end_ns if self.to_ns is None else self.to_ns) - self.from_ns


@dataclass(slots=True)
class Replay:
    """What a rule would have done."""

    rule: Rule
    times: range
    incidents: list[Incident] = field(default_factory=list)
    true_windows: int = 0  # in which a series fulfilled the condition
    pending_only: int = 0  # alerts that were over before they fired
    flaps: int = 0
    errors: dict[str, int] = field(default_factory=dict)  # to windows

    @property
    def notices(self) -> int:
        """How often people would have been told: that it fires, that it is over."""
        return sum(1 + (one.to_ns is not None) for one in self.incidents)

    @property
    def firing_ns(self) -> int:
        """How long it fired, over all alerts."""
        return sum(one.lasted_ns(self.times[-1]) for one in self.incidents)


def replay(rule: Rule, group: Group, history: History, fill: Fill, cancelled: Callable[[], bool] = nobody) -> Replay:
    """Return what a rule would have done, given what its expression was at each window.

    A million windows take minutes: `cancelled` is asked before each, and true ends it.
    """
    rule = replace(rule, annotations={})  # nobody reads them, and filling them in is most of the work
    play = _Play(rule, group, history, fill, Replay(rule, history.times), cancelled)
    play.all()
    return play.done()


@dataclass(slots=True)
class _Play:
    """A rule on its way through its history."""

    rule: Rule
    group: Group
    history: History
    fill: Fill
    found: Replay
    cancelled: Callable[[], bool]
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    known: dict[str, Seen] = field(default_factory=dict)
    fired: dict[str, Incident] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)  # when each alert was over last

    @property
    def asked(self) -> Expression:
        return expression(self.rule.expr)

    def all(self) -> None:
        """Play the windows that may change something, and those behind them while there are alerts."""
        times, at_ns = self.history.times, self.history.times[0]
        silence = self._silence_counts()
        wanted = self._hits() | (self._silent() if silence else set())
        for wanted_ns in [*sorted(wanted), times.stop]:
            while self.alerts and at_ns < wanted_ns:
                self._window(at_ns)
                at_ns += times.step
            if wanted_ns < times.stop:
                if silence and at_ns < wanted_ns:  # all known series were there in what is passed over
                    self._see(wanted_ns - times.step)
                self._window(wanted_ns)
                at_ns = wanted_ns + times.step

    def _silence_counts(self) -> bool:
        """Tell whether it matters which series are silent: that may begin an alert, or keep one from ending."""
        what = policy(self.rule, self.asked)
        return what in {"alert", "keep"} or bool(self.rule.absent_for_ns) or (what == "zero" and self.asked.holds(0.0))

    def _hits(self) -> set[int]:
        """Return the windows in which the condition may hold for a series: `judge` has the last word."""
        samples, threshold = self.history.samples, self.asked.threshold
        if self.asked.op:
            samples = samples.filter(_TESTS[self.asked.op](pl.col("value"), threshold))
        return set(samples["_time_ns"].unique().to_list())

    def _silent(self) -> set[int]:
        """Return the windows in which a series that was seen before is not there, or none at all."""
        samples, times = self.history.samples, self.history.times
        first = samples.group_by("key").agg(pl.col("_time_ns").min())
        new = first.group_by("_time_ns").agg(new=pl.len())
        there = samples.group_by("_time_ns").agg(there=pl.len())
        every = pl.DataFrame({"_time_ns": pl.int_range(times.start, times.stop, times.step, eager=True)})
        counted = every.join(there, on="_time_ns", how="left").join(new, on="_time_ns", how="left").sort("_time_ns")
        known = pl.col("new").fill_null(0).cum_sum()
        silent = counted.filter(pl.col("there").is_null() | (pl.col("there") < known))
        return set(silent["_time_ns"].to_list())

    def _see(self, at_ns: int) -> None:
        """Note the series of a window."""
        self.known.update(
            (key, self.known.get(key, Seen(self.history.first[key], at_ns)).also(at_ns))
            for key in self.history.at(at_ns)
        )

    def _window(self, at_ns: int) -> None:
        if self.cancelled():
            raise QueryTimeoutError("the back-test was cancelled")
        values = self.history.at(at_ns)

        def labelled(labels: Mapping[str, str], value: float) -> Mapping[str, str]:
            return self.fill(self.rule.labels, labels, value, at_ns)

        evaluation = judge(self.rule, self.group, self.asked, Answer(at_ns, values), self.known, (), labelled)
        if evaluation.outcome == "error":
            self.found.errors[evaluation.error] = self.found.errors.get(evaluation.error, 0) + 1
        self.found.true_windows += bool(evaluation.series)
        after, changes = states.step(self.rule, self.alerts, evaluation, _nothing)
        pending = {key for key, alert in self.alerts.items() if alert.state == "pending"}
        self.found.pending_only += len(pending - after.keys())
        for change in changes:
            if change.kind == "firing":
                self._fires(change.key, change.alert)
            else:
                self._ends(change.key, at_ns)
        self.alerts = after
        self._see(at_ns)

    def _fires(self, key: str, alert: Alert) -> None:
        self.fired[key] = Incident(key, alert.active_ns, alert.fired_ns, None, alert.value)
        self.found.flaps += key in self.over and alert.fired_ns - self.over[key] <= FLAP_NS

    def _ends(self, key: str, at_ns: int) -> None:
        self.found.incidents.append(replace(self.fired.pop(key), to_ns=at_ns))
        self.over[key] = at_ns

    def done(self) -> Replay:
        """Return what there was, with what still fires, in order of time."""
        self.found.incidents += self.fired.values()
        self.found.incidents.sort(key=lambda one: (one.from_ns, one.key))
        return self.found


def _nothing(_labels: Mapping[str, str], _value: float) -> Mapping[str, str]:
    return {}
