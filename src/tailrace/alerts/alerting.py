"""Everything that one server needs to look after rules, made and put together.

Comes in: the settings, the control database, the table, and how far behind the sources are. Goes out: the rules that
count, with their states, and a thread that evaluates them. Several servers on one database may each have one: the
lease lets one of them evaluate, and all show the same.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tailrace.alerts.evaluate import health
from tailrace.alerts.evaluate.asking import TableAsk
from tailrace.alerts.evaluate.evaluator import Evaluator
from tailrace.alerts.evaluate.horizons import Horizons
from tailrace.alerts.evaluate.service import AlertService, counting
from tailrace.alerts.evaluate.watermarks import Watermarks
from tailrace.alerts.kept.evaluation_log import evaluations
from tailrace.alerts.kept.store import AlertStore
from tailrace.alerts.notify.notifier import Notifier
from tailrace.alerts.rules.book import RuleBook
from tailrace.alerts.rules.templates import Templates
from tailrace.alerts.rules.warnings import Warnings
from tailrace.alerts.shown import shown
from tailrace.clock import NS_PER_S
from tailrace.control.holder import holder
from tailrace.control.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tailrace.access.outbound import Outbound
    from tailrace.access.sealed import Seal
    from tailrace.alerts.evaluate.service import Deleted
    from tailrace.alerts.evaluate.watermarks import Behind
    from tailrace.alerts.kept.evaluation_log import Wanted
    from tailrace.alerts.kept.recordings import Recordings
    from tailrace.alerts.model import Group
    from tailrace.alerts.settings import AlertSettings
    from tailrace.alerts.shown import Json
    from tailrace.clock import Clock
    from tailrace.contracts import Engine, Table
    from tailrace.control import Control
    from tailrace.query.kept import Kept
    from tailrace.telemetry import Accounts


class Links:
    """The page of a rule, by its id: its query in the explorer. Without an address, or for built-in rules, none.

    May be asked within a transaction: it does not look for new rules, which would need another one.
    """

    def __init__(self, rules: RuleBook, external_url: str) -> None:
        self._rules, self._external_url = rules, external_url
        self._groups: Sequence[Group] = ()
        self._queries: dict[str, str] = {}

    def __call__(self, rule: str) -> str:
        """Return the page of a rule, empty if there is none."""
        groups = self._rules.known()
        if groups is not self._groups:
            self._queries = {one.id: one.expr for group in groups for one in group.rules}
            self._groups = groups
        if not self._external_url or rule not in self._queries:
            return ""
        return f"{self._external_url}/?{urlencode({'q': self._queries[rule]})}"


class Alerting:
    """The rules of a server and what evaluates them; `start` begins, `stop` ends it."""

    def __init__(
        self,
        settings: AlertSettings,
        control: Control,
        table: Table,
        engine: Engine,
        *,
        clock: Clock,
        accounts: Accounts,
        behind: Callable[[], Sequence[Behind]] = tuple,
        deleted: Deleted = lambda _since, _version: (),
        name: str | None = None,
        address: str = "",
        recordings: Recordings | None = None,
        kept: Kept | None = None,
        outbound: Outbound | None = None,
        seal: Seal | None = None,
    ) -> None:
        self._settings, self._control = settings, control
        name, external_url = name or holder(), (settings.external_url or address).rstrip("/")
        self.lease = Lease(control, name, server=address)
        self.store = AlertStore(control, self.lease)
        self.rules = RuleBook(control, settings.rule_files, clock, round(settings.evaluation_interval_s * NS_PER_S))
        self._warnings, self._stopping = Warnings(table, clock), threading.Event()
        ask = TableAsk(table, engine, recorded=recordings, kept=kept, cancelled=self._stopping.is_set)
        self._clock, self._recordings = clock, recordings
        fill = Templates(ask, clock, external_labels=settings.external_labels, external_url=external_url)
        horizons = Horizons.of(settings)
        self.watermarks = Watermarks(behind, horizons=horizons, since_ns=clock.now_ns())
        self.evaluator = Evaluator(
            self.store, ask, fill, self.watermarks, horizons=horizons, written=counting(accounts)
        )
        self.notifier = Notifier(
            control,
            settings,
            clock=clock,
            accounts=accounts,
            external_labels=settings.external_labels,
            external_url=external_url,
            link=Links(self.rules, external_url),
            holder=name,
            outbound=outbound,
            seal=seal,
        )
        self.notifier.receivers.seal_all()
        self.service = AlertService(
            self.rules,
            self.evaluator,
            self.store,
            self.lease,
            table,
            clock=clock,
            accounts=accounts,
            watermarks=self.watermarks,
            horizons=horizons,
            deleted=deleted,
            deliver=self._after,
        )

    def _after(self) -> None:
        """Do what a round leaves to be done: tell, and move what was recorded to where it stays."""
        self.notifier.poke()
        if self._recordings is not None:
            self._recordings.upkeep(self._clock.now_ns())

    def start(self) -> None:
        """Begin to evaluate, unless the settings say no, and to tell."""
        if self._settings.evaluate:
            self.service.start()
        self.notifier.start()

    def stop(self) -> None:
        """Finish the round at hand, give up what takes longer than seconds, and stop."""
        self._stopping.set()
        self.service.stop()
        self.notifier.stop()

    # --- what the web parts ask (`web.services.Rules`) ---------------------------------------------

    def groups(self) -> Sequence[Json]:
        """Return all groups with their states as Prometheus writes them."""
        groups = self.rules.current()
        warnings = self._warnings.of(groups)
        groups = (*groups, health.GROUP) if groups else groups
        return shown(groups, self.store.standings(), warnings)

    def problems(self) -> Sequence[str]:
        """Return what is wrong with rule files, and with saved groups: what they said before counts, or nothing."""
        return [" ".join(said.split()) for said in self.rules.problems.values()]

    def evaluations(self, wanted: Wanted) -> Sequence[Json]:
        """Return entries of the log of evaluations, newest written first."""
        return evaluations(self._control, (*self.rules.current(), health.GROUP), wanted)

    def namespaces(self) -> Mapping[str, Mapping[str, Json]]:
        """Return namespace to name to definition, as it was saved."""
        return self.rules.namespaces()

    def save(self, namespace: str, group: Json) -> None:
        """Keep a group durably, in place of one of the same name; all that is wrong with it is a `DataError`."""
        self.rules.save(namespace, group)

    def delete(self, namespace: str, group: str | None) -> bool:
        """Remove a group, or all of a namespace; false if there is none."""
        return self.rules.delete(namespace, group)
