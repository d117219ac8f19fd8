"""Look at a group, and decide what its lines are told: in one transaction with what follows from it.

Comes in: a group that is due. Goes out: rows to deliver, the log of what each line was told, and the group's next
look. Alerts that are silenced, inhibited, or in a route that is mute at the time are left out, as if they were not
there; one that is over leaves the group with this look. Decided twice, the same is written once: a row's key is made of
the group, the line, the alerts with their states, the reason and the time of the look.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update

from tailrace.alerts.evaluate.states import KEPT_NS
from tailrace.alerts.notify import known, silences
from tailrace.alerts.notify.grouping import Entry, look_ns, reason
from tailrace.alerts.notify.inhibition import Inhibitions
from tailrace.alerts.notify.model import CORRECTION, Notification, ToldAlert
from tailrace.alerts.notify.tables import ALERTS, DELIVERIES, GROUPS, LOG, TOLD
from tailrace.clock import NS_PER_S
from tailrace.control import insert

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from tailrace.alerts.notify.alerts import KnownAlert, Member
    from tailrace.alerts.notify.model import Reason
    from tailrace.alerts.notify.policy import Line, Policy
    from tailrace.alerts.notify.routes import Route


@dataclass(frozen=True, slots=True)
class _Look:
    """One group at one look."""

    group: str
    labels: Mapping[str, str]
    route: Route
    members: Sequence[Member]  # of which nothing keeps silent
    at_ns: int


class Dispatch:
    """Decides within one transaction, at one time; what silences is read once."""

    def __init__(self, connection: Connection, policy: Policy, now_ns: int, external_url: str = "") -> None:
        self._connection, self._policy, self._now_ns = connection, policy, now_ns
        self._external_url = external_url
        self._mutes: Mutes | None = None

    def due(self, limit: int) -> list[str]:
        """Return groups whose look is due; all of them that were put off before the clock stepped back."""
        now = (GROUPS.c.next_ns <= self._now_ns) | (GROUPS.c.set_ns > self._now_ns)
        wanted = select(GROUPS.c.id).where(now).order_by(GROUPS.c.next_ns).limit(limit)
        return list(self._connection.execute(wanted).scalars())

    def changed(self) -> None:
        """Take note that alerts changed since the last look."""
        self._mutes = None

    def look(self, group: str, *, early: bool = False) -> None:
        """Look at a group; `early` is out of turn, since what fires now will be over before its turn comes."""
        connection, now_ns = self._connection, self._now_ns
        row = connection.execute(select(GROUPS).where(GROUPS.c.id == group)).one_or_none()
        route = self._policy.routes.get(row.route) if row is not None else None
        if row is None:
            return
        if route is None:  # of a server with other settings
            self._put_off(group, now_ns + NS_PER_S * 60)
            return
        interval_ns = row.renew_ns or route.group_interval_ns
        at_ns = now_ns if early else look_ns(row.next_ns, interval_ns, now_ns)
        members = known.of_group(connection, group)
        told = [] if self._policy.mute_by(route, at_ns) else [one for one in members if not self._muted(one.alert)]
        if told:
            look = _Look(group, json.loads(row.labels), route, told, at_ns)
            for line in self._policy.rhythms.get(route.receiver, {}).get(row.renew_ns, ()):
                self._decide(look, line)
        known.clear_notes(connection, group)
        kept_ns = KEPT_NS if row.renew_ns else 0  # an end, too, is told again to those who forget
        over = [one.alert for one in members if one.alert.over(now_ns) and one.alert.ends_ns <= now_ns - kept_ns]
        known.leave(connection, group, over)
        if len(over) == len(members):
            connection.execute(delete(GROUPS).where(GROUPS.c.id == group))
        else:
            self._put_off(group, at_ns + interval_ns)

    def _put_off(self, group: str, next_ns: int) -> None:
        values = {"next_ns": next_ns, "set_ns": self._now_ns, "flushed": True}
        self._connection.execute(update(GROUPS).where(GROUPS.c.id == group).values(values))

    def knows(self, group: str, fingerprint: str) -> bool:
        """Tell whether every line of a group was told that an alert fires."""
        entries = self._told_firing(group)
        return bool(entries) and all(fingerprint in firing for firing in entries)

    def heard(self, group: str, fingerprint: str) -> bool:
        """Tell whether any line of a group was told that an alert fires, and not yet that it is over."""
        return any(fingerprint in firing for firing in self._told_firing(group))

    def _told_firing(self, group: str) -> list[list[str]]:
        wanted = select(LOG.c.firing).where(LOG.c.group == group)
        return [json.loads(text) for text in self._connection.execute(wanted).scalars()]

    # --- one line -------------------------------------------------------------------------------

    def _decide(self, look: _Look, line: Line) -> None:
        wants_end = line.receiver.send_resolved
        entry = self._entry(look.group, line.id)
        over = {one.alert.fingerprint for one in look.members if one.alert.over(self._now_ns)}
        firing = {one.alert.fingerprint for one in look.members} - over
        why = reason(
            entry,
            firing,
            over,
            at_ns=look.at_ns,
            repeat_ns=line.renew_ns or look.route.repeat_interval_ns,
            send_resolved=wants_end,
            renews=bool(line.renew_ns),
        )
        noted = {one.alert.fingerprint for one in look.members if self._noted(one, line.id, why, firing)}
        if noted:
            why = "correction"
        if why is None or (why == "repeat" and self._waits(look.group, line.id)):
            return
        ends = over if wants_end and entry is not None else set()  # what cleared before the first message is not told
        kept = [one for one in look.members if one.alert.fingerprint in firing | ends | noted]
        if kept:
            told = [self._told(one, noted) for one in kept]
            self._write(look, line.id, why, sorted(told, key=_place))
        self._log(look, line.id, firing, over)

    def _noted(self, member: Member, line: str, why: Reason | None, firing: set[str]) -> bool:
        """Tell whether there is something to say of an alert to a line in any case."""
        if not member.note:
            return False
        if not member.noted_ns:
            return why is not None or member.alert.fingerprint in firing
        fingerprint = member.alert.fingerprint
        heard = (TOLD.c.line == line) & (TOLD.c.fingerprint == fingerprint)
        wanted = select(TOLD.c.at_ns).where(heard, TOLD.c.starts_ns == member.noted_ns)
        return self._connection.execute(wanted).first() is not None

    def _entry(self, group: str, line: str) -> Entry | None:
        mine = (LOG.c.group == group) & (LOG.c.line == line)
        row = self._connection.execute(select(LOG).where(mine)).one_or_none()
        if row is None:
            return None
        return Entry(row.at_ns, frozenset(json.loads(row.firing)), frozenset(json.loads(row.resolved)))

    def _waits(self, group: str, line: str) -> bool:
        """Tell whether something is still to be delivered: a repetition behind it would say nothing new."""
        mine = (DELIVERIES.c.group == group) & (DELIVERIES.c.line == line) & (DELIVERIES.c.state == "waiting")
        return self._connection.execute(select(DELIVERIES.c.id).where(mine).limit(1)).first() is not None

    def _told(self, member: Member, noted: set[str]) -> ToldAlert:
        alert = member.alert
        over = alert.over(self._now_ns)
        notes = {CORRECTION: member.note} if alert.fingerprint in noted else {}
        return ToldAlert(
            status="resolved" if over else "firing",
            labels=alert.labels,
            annotations={**alert.annotations, **notes},
            starts_ns=alert.starts_ns,
            ends_ns=alert.ends_ns if over else 0,
            generator_url=alert.generator_url,
            fingerprint=alert.fingerprint,
            value=alert.value,
        )

    def _write(self, look: _Look, line: str, why: Reason, alerts: Sequence[ToldAlert]) -> None:
        notification = Notification(
            receiver=look.route.receiver,
            group_key=look.group,
            group_labels=look.labels,
            common_labels=_common([alert.labels for alert in alerts]),
            common_annotations=_common([alert.annotations for alert in alerts]),
            alerts=tuple(alerts),
            external_url=self._external_url,
            key="",
            at_ns=look.at_ns,
            reason=why,
            route_labels=look.route.labels,
        )
        key = _key(notification, line)
        row = {
            "group": look.group,
            "line": line,
            "key": key,
            "at_ns": look.at_ns,
            "written_ns": self._now_ns,
            "notification": json.dumps(asdict(replace(notification, key=key))),
            "state": "waiting",
            "attempts": 0,
            "next_ns": self._now_ns,
            "error": "",
            "done_ns": 0,
            "holder": "",
            "held_ns": 0,
        }
        self._connection.execute(insert(DELIVERIES).values(row).on_conflict_do_nothing())
        heard = [
            {"line": line, "fingerprint": one.fingerprint, "starts_ns": one.starts_ns, "at_ns": self._now_ns}
            for one in alerts
            if one.status == "firing"
        ]
        if heard:
            self._connection.execute(insert(TOLD).on_conflict_do_nothing(), heard)

    def _log(self, look: _Look, line: str, firing: set[str], over: set[str]) -> None:
        values = {
            "at_ns": look.at_ns,
            "firing": json.dumps(sorted(firing)),
            "resolved": json.dumps(sorted(over)),
        }
        statement = insert(LOG).values(group=look.group, line=line, **values)
        connection = self._connection
        connection.execute(statement.on_conflict_do_update(index_elements=["group", "line"], set_=values))

    def _muted(self, alert: KnownAlert) -> bool:
        if self._mutes is None:
            self._mutes = Mutes(self._connection, self._policy, self._now_ns)
        return bool(self._mutes.inhibited_by(alert.labels) or self._mutes.silenced_by(alert.labels))


class Mutes:
    """What keeps alerts silent at one time: silences that hold, and alerts that fire and inhibit others."""

    def __init__(self, connection: Connection, policy: Policy, now_ns: int) -> None:
        self._silences = silences.active(connection, now_ns)
        firing: dict[str, Mapping[str, str]] = {}
        if policy.inhibitions:
            wanted = select(ALERTS.c.fingerprint, ALERTS.c.labels)
            fires = (ALERTS.c.ends_ns == 0) | ((ALERTS.c.rule == "") & (ALERTS.c.ends_ns > now_ns))
            rows = connection.execute(wanted.where(fires).order_by(ALERTS.c.starts_ns, ALERTS.c.fingerprint))
            firing = {row.fingerprint: json.loads(row.labels) for row in rows}
        self._inhibitions = Inhibitions(policy.inhibitions, firing)

    def silenced_by(self, labels: Mapping[str, str]) -> list[str]:
        """Return the ids of the silences for a label set."""
        return [one.id for one in self._silences if one.silences(labels)]

    def inhibited_by(self, labels: Mapping[str, str]) -> list[str]:
        """Return the fingerprints of the alerts that inhibit a label set."""
        return self._inhibitions.of(labels)


def read_notification(text: str) -> Notification:
    """Return a notification as it was written."""
    fields: dict[str, Any] = json.loads(text)  # JSON of `asdict`
    alerts = tuple(ToldAlert(**alert) for alert in fields.pop("alerts"))
    return Notification(**fields, alerts=alerts)


def _key(notification: Notification, line: str) -> str:
    states = sorted((one.fingerprint, one.status, one.starts_ns, one.ends_ns) for one in notification.alerts)
    parts = [notification.group_key, line, states, notification.reason, notification.at_ns]
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _place(alert: ToldAlert) -> tuple[bool, list[tuple[str, str]]]:
    return alert.status == "resolved", sorted(alert.labels.items())


def _common(several: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what all of several mappings have in common."""
    first = several[0]
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in several[1:])}
