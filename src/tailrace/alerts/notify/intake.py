"""Take alerts in: what evaluations wrote into the outbox, and what is posted from elsewhere.

Rows of the outbox are taken in their order, in one transaction with what follows from them, and marked. Time in them
is the time of their windows, however late they come: an alert that fired for longer than its groups wait is told as
firing, also when its end is known already. What late lines changed in the past is told as a note on the alert. An alert
of ours whose state is no more (its rule is gone) is over.
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
            self._put(new)
        elif row.kind == "firing":
            self._again(old, new, row.at_ns)
        elif row.at_ns >= old.starts_ns:
            self._end(old, row.at_ns)

    def _again(self, old: KnownAlert, new: KnownAlert, at_ns: int) -> None:
        """Take that an alert fires which does already: at another time, of which nobody knew."""
        self._put(replace(new, starts_ns=old.starts_ns))
        if at_ns < old.starts_ns:
            known.note(self._connection, new, MISSED.format(moment(at_ns)))

    def _end(self, alert: KnownAlert, at_ns: int) -> None:
        """Take that an alert is over. Groups that do not know that it fired, and should, are told so before."""
        connection = self._connection
        wanted = select(GROUPS.c.id, GROUPS.c.route).join(MEMBERS, MEMBERS.c.group == GROUPS.c.id)
        for row in connection.execute(wanted.where(MEMBERS.c.fingerprint == alert.fingerprint)).all():
            route = self._policy.routes.get(row.route)
            long_enough = route is not None and at_ns - alert.starts_ns > route.group_wait_ns
            if long_enough and not self._dispatch.knows(row.id, alert.fingerprint):
                self._dispatch.look(row.id, early=True)
        self._put(replace(alert, ends_ns=at_ns, updated_ns=self._now_ns))

    def _take_back(self, old: KnownAlert | None, new: KnownAlert, at_ns: int) -> None:
        """Take that an alert did not fire at a time at which it was told to."""
        if old is None:
            old = replace(new, starts_ns=at_ns, ends_ns=self._now_ns)
        elif old.starts_ns == at_ns and not old.over(self._now_ns):
            old = replace(old, ends_ns=self._now_ns, updated_ns=self._now_ns)
        self._put(old)
        known.note(self._connection, old, MISTAKE.format(moment(at_ns)), at_ns)

    def _end_forgotten(self) -> None:
        """End our alerts that fire, and whose states say otherwise."""
        for alert in known.read(self._connection, ALERTS.c.rule != "", ALERTS.c.ends_ns == 0, known.STATELESS):
            self._put(replace(alert, ends_ns=self._now_ns, updated_ns=self._now_ns))

    def _put(self, alert: KnownAlert) -> None:
        known.put(self._connection, alert)
        known.route(self._connection, self._policy, alert, self._now_ns)
        self._dispatch.changed()
