"""The thread that evaluates rules in a server.

Each second it looks whether anything is due. If so, it takes or renews the lease, looks at what lines came late or
went, corrects what they changed, and evaluates. A failure of the store or the database is counted and tried again:
nothing is marked as evaluated, or as looked at, that is not durable. Rules that are no more are forgotten after a
while, since a file may be away for a moment; the log of evaluations is cut. Without rules nothing is read or written.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from polars.exceptions import PolarsError

from tailrace import memory
from tailrace.alerts.evaluate import health
from tailrace.alerts.evaluate.contracts import Late
from tailrace.alerts.evaluate.horizons import Horizons
from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.alerts.evaluate.evaluator import Evaluator
    from tailrace.alerts.evaluate.watermarks import Watermarks
    from tailrace.alerts.kept.store import AlertStore, Round
    from tailrace.alerts.model import Group
    from tailrace.clock import Clock
    from tailrace.contracts import Table
    from tailrace.control.lease import Lease
    from tailrace.telemetry import Accounts, Sample

    Deleted = Callable[[int, int], Sequence[tuple[int, int]]]

ROUND_S: Final = 1.0

GONE_S: Final = 60.0
"""A rule that is away for this long is no more; until then its file may be in the middle of being written."""

RENEW_S: Final = 5.0
"""Between two renewals of the lease while a round takes long."""

LONG_S: Final = 600.0
"""A round that takes longer than this hangs: its lease is not renewed any more."""

STOP_S: Final = 2.0
"""For how long a round at hand is waited for when the server stops."""

_BUILT_IN: Final = {rule.id for rule in health.RULES}
_UPKEEP_S: Final = 600.0
_MISTAKE_S: Final = 10.0  # between reports of a failure that nobody foresaw
_FAILED: Final = "Rounds of evaluation that failed as a whole."
_LOGGER: Final = logging.getLogger(__name__)


class Rules(Protocol):
    """The rules as they are now."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What of them cannot be read."""
        ...

    def current(self) -> tuple[Group, ...]:
        """Return all groups; the same object while nothing changed."""
        ...


def added(table: Table, since: int | None, before_ns: int | None = None) -> tuple[list[Late], int]:
    """Return the streams and times of the lines that were added after a version, and the version now.

    Of lines that are all later than `before_ns` nothing is told.
    """
    snapshot = table.snapshot()
    if since is None or snapshot.version <= since:
        return [], snapshot.version
    streams = snapshot.added_since(since).streams().select("_stream", "min_time_ns", "max_time_ns")
    if before_ns is not None:
        streams = streams.filter(streams["min_time_ns"] <= before_ns)
    return [Late((stream,), first_ns, last_ns) for stream, first_ns, last_ns in streams.iter_rows()], snapshot.version


def counting(accounts: Accounts) -> Callable[[Round], None]:
    """Return what counts the rounds that became durable."""

    def written(made: Round) -> None:
        for outcome, number in Counter(step.evaluation.outcome for step in made.steps).items():
            text = "Windows of rules that were evaluated, by outcome."
            accounts.count("tailrace_rule_evaluations_total", text, number, outcome=outcome)
            if outcome == "error":
                accounts.count("tailrace_rule_failures_total", "Windows of rules that failed.", number)
        if made.skipped:
            text = "Gaps of windows that were too old to be made up for."
            accounts.count("tailrace_rule_missed_total", text, len(made.skipped))

    return written


class AlertService:
    """Evaluates rules until it is stopped; `deliver` is called after each round that told something.

    `deleted` gives the times of which lines went between two versions of the table.
    """

    def __init__(
        self,
        rules: Rules,
        evaluator: Evaluator,
        store: AlertStore,
        lease: Lease,
        table: Table,
        *,
        clock: Clock,
        accounts: Accounts,
        watermarks: Watermarks | None = None,
        horizons: Horizons | None = None,
        deleted: Deleted = lambda _since, _version: (),
        deliver: Callable[[], None] = lambda: None,
    ) -> None:
        self._rules, self._evaluator, self._store, self._lease = rules, evaluator, store, lease
        self._table, self._deleted, self._watermarks = table, deleted, watermarks
        self._horizons = horizons or Horizons()
        self._clock, self._accounts, self._deliver = clock, accounts, deliver
        self._looked: int | None = None
        self._sources = health.Sources()
        self._stuck: list[Sample] = []
        self._missing: list[Sample] = []
        self._health_ns, self._upkeep_s = 0, clock.monotonic_s() + GONE_S
        self._away: dict[str, float] = {}  # rules that are not there any more, and since when
        self._any = bool(store.progress())
        self._stopping, self._began_s = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        accounts.gauge("tailrace_rule_lag_seconds", "How far the rule that is furthest behind is.", self._lag)
        accounts.gauge("tailrace_rules", "Rules that are evaluated here.", self._count)
        accounts.gauge("tailrace_alerts", "Alerts by state.", self._states)
        text = "How often rules that fail did so, one time after the other."
        accounts.gauge("tailrace_rule_consecutive_failures", text, self._failing)
        text = "How long a source has made no progress while rules wait for it."
        accounts.gauge("tailrace_source_stuck_seconds", text, lambda: list(self._stuck))
        text = "Sources that are so far behind that rules do not wait for them."
        accounts.gauge("tailrace_source_missing", text, lambda: list(self._missing))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round at hand within seconds, give the lease back, and stop.

        A round that takes longer is left to itself: without the lease nothing of it is kept.
        """
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)
            try:
                self._lease.release(wait_s=STOP_S)
            except TailraceError as error:  # it runs out by itself
                _LOGGER.warning("alerts: %s", error)

    def round(self) -> int:
        """Do what is due, once; return how many windows of rules were evaluated."""
        now_ns, groups = self._clock.now_ns(), self._rules.current()
        if not (groups or self._any) or not self._lease.take(now_ns):
            return 0
        if self._lease.fresh:
            self._evaluator.load()
            self._looked = self._store.looked()
        began_s = self._clock.monotonic_s()
        done = self._correct(groups, now_ns) + self._evaluator.round(groups, now_ns, self._looked)
        self._observe(groups, now_ns)
        self._tidy(groups, now_ns)
        self._any = bool(groups) or bool(self._evaluator.standings())
        if done:
            took_s = self._clock.monotonic_s() - began_s
            self._accounts.count("tailrace_rule_duration_seconds_total", "Time that evaluating took.", took_s)
            self._deliver()
        return done

    def _correct(self, groups: Sequence[Group], now_ns: int) -> int:
        before_ns = self._evaluator.evaluated_ns(groups)
        late, version = added(self._table, self._looked, before_ns)
        if self._looked is not None and version > self._looked:
            gone = self._deleted(self._looked, version)
            late += [Late((), first_ns, last_ns) for first_ns, last_ns in gone if first_ns <= before_ns]
        done = self._evaluator.correct(groups, late, now_ns, version) if late else 0
        self._looked = version
        if done:
            text = "Windows of rules that were evaluated again, as lines came late or went."
            self._accounts.count("tailrace_rule_corrections_total", text, done)
        return done

    # --- how alerting itself is -----------------------------------------------------------------

    def _observe(self, groups: Sequence[Group], now_ns: int) -> None:
        """Evaluate the built-in rules, in windows of their own."""
        at_ns = now_ns // health.INTERVAL_NS * health.INTERVAL_NS
        if at_ns == self._health_ns or not groups:
            return
        self._health_ns, watermarks = at_ns, self._watermarks
        behind = watermarks.sources(now_ns) if watermarks else ()
        missing = [one.name for one in behind if watermarks and watermarks.missing(one, now_ns)]
        stuck = self._sources.look(behind, now_ns)
        self._stuck = [({"source": name}, still_ns / NS_PER_S) for name, still_ns in stuck.items()]
        self._missing = [({"source": one.name}, float(one.name in missing)) for one in behind]
        found = health.findings(
            (task for group in self._evaluator.tasks(groups) for task in group),
            {rule: standing.progress for rule, standing in self._evaluator.standings().items()},
            wait_ns=self._horizons.max_wait_ns,
            stuck=stuck,
            missing=missing,
            outbox_ns=self._store.outbox_age_ns(now_ns),
            now_ns=now_ns,
        )
        self._evaluator.observe([(rule, found[rule.id]) for rule in health.RULES], at_ns, now_ns)

    def _lag(self) -> list[Sample]:
        evaluated = [
            standing.progress.evaluated_ns
            for rule, standing in self._evaluator.standings().items()
            if rule not in _BUILT_IN
        ]
        return [({}, (self._clock.now_ns() - min(evaluated)) / NS_PER_S)] if evaluated else []

    def _count(self) -> list[Sample]:
        return [({}, float(sum(len(group.rules) for group in self._rules.current())))]

    def _states(self) -> list[Sample]:
        standings = self._evaluator.standings().values()
        states = Counter(alert.state for standing in standings for alert in standing.alerts.values())
        return [({"state": state}, float(states[state])) for state in ("pending", "firing")]

    def _failing(self) -> list[Sample]:
        standings = self._evaluator.standings()
        found: list[Sample] = []
        for group in self._rules.current():
            for rule in group.rules:
                how = standings.get(rule.id)
                if how is not None and how.progress.failures and len(found) < health.MOST:
                    labels = {"rule": rule.name, "group": group.name, "namespace": group.namespace}
                    found.append((labels, float(how.progress.failures)))
        return found

    # --- upkeep ---------------------------------------------------------------------------------

    def _tidy(self, groups: Sequence[Group], now_ns: int) -> None:
        now_s = self._clock.monotonic_s()
        there = {rule.id for group in (*groups, health.GROUP) for rule in group.rules}
        away = [rule for rule in self._evaluator.standings() if rule not in there]
        self._away = {rule: self._away.get(rule, now_s) for rule in away}
        gone = [rule for rule, since_s in self._away.items() if now_s - since_s >= GONE_S]
        if gone and not self._rules.problems:  # they may be in a file that cannot be read now
            self._store.forget(gone, now_ns)
            self._evaluator.forget(gone)
        if now_s >= self._upkeep_s and self._store.cut(now_ns - self._horizons.log_ns) == 0:
            self._upkeep_s = now_s + _UPKEEP_S

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        threading.Thread(target=self._keep_lease, name="alerts-lease", daemon=True).start()
        done = 0
        while not self._stopping.is_set():
            worked, done, self._began_s = done > 0, 0, self._clock.monotonic_s()
            try:
                done = self.round()
            except (TailraceError, OSError, PolarsError) as error:
                _LOGGER.warning("alerts: %s", error)
                self._accounts.count("tailrace_alert_failures_total", _FAILED)
            except Exception:  # a bug, which must not end all evaluation
                _LOGGER.exception("alerts: a round failed")
                self._accounts.count("tailrace_alert_failures_total", _FAILED)
            if not done:  # else there may be more that is due
                if worked:
                    memory.give_back()
                self._clock.wait(self._stopping, ROUND_S)

    def _keep_lease(self) -> None:
        """Renew the lease while a round takes long; not for ever, for it may hang."""
        while not self._clock.wait(self._stopping, RENEW_S):
            if self._clock.monotonic_s() - self._began_s > LONG_S:
                continue
            try:
                self._lease.renew(self._clock.now_ns())
            except TailraceError as error:
                _LOGGER.warning("alerts: %s", error)
