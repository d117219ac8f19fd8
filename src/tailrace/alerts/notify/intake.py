"""Take alerts in: what evaluations wrote into the outbox, and what is posted from elsewhere.

Rows of the outbox are taken in their order, in one transaction with what follows from them, and marked. Time in them
is the time of their windows, however late they come: an alert that fired for longer than its groups wait is told as
firing, also when its end is known already. What late lines changed in the past is told as a note on the alert where it
is known to fire, and as a beginning and an end where it is not. An alert of ours whose state is no more (its rule is
gone) is over.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, update

from tailrace.alerts.kept.tables import OUTBOX
from tailrace.alerts.notify import known
from tailrace.alerts.notify.alerts import KnownAlert, fingerprint, merged
from tailrace.alerts.notify.message import moment
from tailrace.alerts.notify.tables import ALERTS, GROUPS, MEMBERS
from tailrace.errors import TransientError
from tailrace.limits import FOREIGN_ALERTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from tailrace.alerts.notify.dispatch import Dispatch
    from tailrace.alerts.notify.policy import Policy

    Row = Any  # of SQLAlchemy, which types its columns as anything

ROWS: Final = 200
"""Rows that are taken in one transaction, which takes about 0.1 s: evaluations wait for it."""

MISTAKE: Final = "told by mistake: lines that came late show that it did not fire at {}"
MISSED: Final = "lines that came late show that it fired at {}, too"


class Intake:
    """Takes alerts in, within one transaction at one time."""

    def __init__(
        self, connection: Connection, policy: Policy, dispatch: Dispatch, now_ns: int, external: Mapping[str, str]
    ) -> None:
        self._connection, self._policy, self._dispatch = connection, policy, dispatch
        self._now_ns, self._external = now_ns, external

    def outbox(self, link: Callable[[str], str]) -> int:
        """Take the oldest rows, and return how many; `link` gives the page of a rule."""
        connection = self._connection
        wanted = select(OUTBOX).where(~OUTBOX.c.taken).order_by(OUTBOX.c.id).limit(ROWS)
        rows = connection.execute(wanted).all()
        for row in rows:
            self._take(row, link)
        if rows:
            done = OUTBOX.c.id.between(rows[0].id, rows[-1].id)
            connection.execute(update(OUTBOX).where(done, ~OUTBOX.c.taken).values(taken=True))
        if len(rows) < ROWS:
            self._end_forgotten()
        return len(rows)

    def post(self, alerts: Iterable[KnownAlert]) -> None:
        """Take alerts from elsewhere; `TransientError` if more are known than may be."""
        foreign = select(func.count()).select_from(ALERTS).where(ALERTS.c.rule == "")
        room = FOREIGN_ALERTS - self._connection.execute(foreign).scalar_one()
        for alert in alerts:
            old = known.one(self._connection, alert.fingerprint)
            room -= old is None
            if room < 0:
                raise TransientError(f"more than {FOREIGN_ALERTS} alerts from elsewhere are known; come again")
            if old is not None and old.rule and not old.over(self._now_ns):
                continue  # ours, sent back to us
            self._put(alert if old is None else merged(old, alert))

    def _take(self, row: Row, link: Callable[[str], str]) -> None:
        labels = {**self._external, **json.loads(row.labels)}
        name = fingerprint(labels)
        old = known.one(self._connection, name)
        fires = old is not None and not old.over(self._now_ns)
        new = KnownAlert(
            fingerprint=name,
            labels=labels,
            annotations=json.loads(row.annotations),
            starts_ns=min(row.starts_ns, row.ends_ns or row.starts_ns),
            ends_ns=row.ends_ns,
            updated_ns=self._now_ns,
            generator_url=link(row.rule),
            rule=row.rule,
            key=row.key,
            value=row.value,
        )
        if row.kind == "correction":
            self._take_back(old, new, row.at_ns)
        elif old is None or not fires:
            if old is not None and row.kind == "firing" and row.at_ns < old.starts_ns:
                self._tell_end(old)
            self._put(new)
            if row.kind == "firing":
                known.unnote(self._connection, new)
        elif row.kind == "firing":  # it does already; if it did so before, too, the end of that follows
            self._put(replace(new, starts_ns=old.starts_ns))
        elif row.at_ns >= old.starts_ns:
            self._end(old, row.at_ns)
        elif row.starts_ns < old.starts_ns:
            self._missed(old, new)

    def _end(self, alert: KnownAlert, at_ns: int) -> None:
        """Take that an alert is over. Groups that do not know that it fired, and should, are told so before."""
        for group, long_enough in self._groups(alert, at_ns):
            if long_enough and not self._dispatch.knows(group, alert.fingerprint):
                self._dispatch.look(group, early=True)
        self._put(replace(alert, ends_ns=at_ns, updated_ns=self._now_ns))

    def _tell_end(self, alert: KnownAlert) -> None:
        """Tell of the end of an alert now where it is not known yet: another incident takes its place."""
        for group, _ in self._groups(alert, alert.ends_ns):
            if self._dispatch.heard(group, alert.fingerprint):
                self._dispatch.look(group, early=True)

    def _missed(self, old: KnownAlert, past: KnownAlert) -> None:
        """Take that an alert which fires did so before, too: of that nobody knew, and it was over."""
        for group, long_enough in self._groups(old, past.ends_ns, past.starts_ns):
            if self._dispatch.heard(group, old.fingerprint):
                known.note(self._connection, group, old, MISSED.format(moment(past.starts_ns)))
            elif long_enough:
                self._put(replace(past, ends_ns=0))
                self._dispatch.look(group, early=True)
                self._put(past)
                self._dispatch.look(group, early=True)
                self._put(old)  # of which nobody was told yet

    def _groups(self, alert: KnownAlert, ends_ns: int, starts_ns: int | None = None) -> list[tuple[str, bool]]:
        """Return the groups that have an alert, and whether it, or an incident of it, lasted longer than they wait."""
        since_ns = alert.starts_ns if starts_ns is None else starts_ns
        wanted = select(GROUPS.c.id, GROUPS.c.route).join(MEMBERS, MEMBERS.c.group == GROUPS.c.id)
        rows = self._connection.execute(wanted.where(MEMBERS.c.fingerprint == alert.fingerprint)).all()
        routes = [(row.id, self._policy.routes.get(row.route)) for row in rows]
        return [(name, route is not None and ends_ns - since_ns > route.group_wait_ns) for name, route in routes]

    def _take_back(self, old: KnownAlert | None, new: KnownAlert, at_ns: int) -> None:
        """Take that an alert did not fire at a time at which it was told to."""
        if old is None:
            old = replace(new, starts_ns=at_ns, ends_ns=self._now_ns)
        elif old.starts_ns == at_ns and not old.over(self._now_ns):
            old = replace(old, ends_ns=self._now_ns, updated_ns=self._now_ns)
        self._put(old)
        for group, _ in self._groups(old, at_ns):
            known.note(self._connection, group, old, MISTAKE.format(moment(at_ns)), at_ns)

    def _end_forgotten(self) -> None:
        """End our alerts that fire, and whose states say otherwise."""
        for alert in known.read(self._connection, ALERTS.c.rule != "", ALERTS.c.ends_ns == 0, known.STATELESS):
            self._put(replace(alert, ends_ns=self._now_ns, updated_ns=self._now_ns))

    def _put(self, alert: KnownAlert) -> None:
        known.put(self._connection, alert)
        known.route(self._connection, self._policy, alert, self._now_ns)
        self._dispatch.changed()
