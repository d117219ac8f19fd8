"""The thread that evaluates rules in a server.

Once a second it takes or renews the lease, looks at what lines came late, corrects what they changed, and evaluates
what is due. A failure of the store or the database is counted and tried again: nothing is marked as evaluated, or as
looked at, that is not durable. Rules that are no more are forgotten, and the log of evaluations is cut.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, Protocol

from tailrace.alerts.evaluator import Evaluator, Late
from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.alerts.lease import Lease
    from tailrace.alerts.model import Group
    from tailrace.alerts.store import AlertStore
    from tailrace.clock import Clock
    from tailrace.contracts import Table
    from tailrace.telemetry import Accounts

ROUND_S: Final = 1.0

LOG_NS: Final = 30 * 86_400 * NS_PER_S
"""How long evaluations are kept in the log."""

_UPKEEP_S: Final = 600.0
_LOGGER: Final = logging.getLogger(__name__)


class Rules(Protocol):
    """The rules as they are now."""

    def current(self) -> tuple[Group, ...]:
        """Return all groups; the same object while nothing changed."""
        ...


def added(table: Table, since: int | None) -> tuple[list[Late], int]:
    """Return the streams and times of the lines that were added after a version, and the version now."""
    snapshot = table.snapshot()
    if since is None or snapshot.version <= since:
        return [], snapshot.version
    streams = snapshot.added_since(since).streams().select("_stream", "min_time_ns", "max_time_ns")
    return [Late((stream,), first_ns, last_ns) for stream, first_ns, last_ns in streams.iter_rows()], snapshot.version


class AlertService:
    """Evaluates rules until it is stopped; `deliver` is called after each round that told something."""

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
        deliver: Callable[[], None] = lambda: None,
    ) -> None:
        self._rules, self._evaluator, self._store, self._lease = rules, evaluator, store, lease
        self._table, self._looked = table, store.looked()
        self._clock, self._accounts, self._deliver = clock, accounts, deliver
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
        self._upkeep_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the round at hand, give the lease back, and stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
            self._lease.release()

    def round(self) -> int:
        """Do what is due, once; return how many windows of rules were evaluated."""
        now_ns, groups = self._clock.now_ns(), self._rules.current()
        if not groups or not self._lease.take(now_ns):
            return 0
        if self._lease.fresh:
            self._evaluator.load()
        late, version = added(self._table, self._looked)
        done = self._evaluator.correct(groups, late, now_ns, version) if late and groups else 0
        self._looked = version
        done += self._evaluator.round(groups, now_ns, version)
        self._tidy(groups, now_ns)
        if done:
            self._accounts.count("tailrace_rule_evaluations_total", "Windows of rules that were evaluated.", done)
            self._deliver()
        return done

    def _tidy(self, groups: Sequence[Group], now_ns: int) -> None:
        if self._clock.monotonic_s() < self._upkeep_s:
            return
        self._upkeep_s = self._clock.monotonic_s() + _UPKEEP_S
        there = {rule.id for group in groups for rule in group.rules}
        gone = [rule for rule in self._store.progress() if rule not in there]
        self._store.forget(gone, now_ns - LOG_NS, now_ns)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.round()
            except (TailraceError, FileNotFoundError) as error:
                _LOGGER.warning("alerts: %s", error)
                self._accounts.count("tailrace_alert_failures_total", "Rounds of evaluation that failed as a whole.")
            if self._clock.wait(self._stopping, ROUND_S):
                return
