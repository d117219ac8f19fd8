"""The alerts that telling knows, in the control database: read, written, put in groups.

Every function works within a transaction of its caller's. Costs one statement per alert that changes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, delete, select, update

from tailrace.alerts.kept.tables import STATES
from tailrace.alerts.notify.alerts import KnownAlert, Member
from tailrace.alerts.notify.tables import ALERTS, GROUPS, MEMBERS
from tailrace.batch import stream_text
from tailrace.clock import NS_PER_S
from tailrace.control import insert

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from tailrace.alerts.notify.policy import Policy
    from tailrace.alerts.notify.routes import Route

STATELESS: Final = STATES.c.rule.is_(None)
"""Says of what is read that no rule has it firing."""


_OURS: Final = (STATES.c.rule == ALERTS.c.rule) & (STATES.c.key == ALERTS.c.key) & (STATES.c.state == "firing")
_READ: Final = (
    select(ALERTS, STATES.c.annotations.label("newest"), STATES.c.value.label("now"))
    .select_from(ALERTS.outerjoin(STATES, _OURS))
    .order_by(ALERTS.c.labels)
)
_ONE: Final = _READ.where(ALERTS.c.fingerprint == bindparam("name"))
_MINE: Final = select(MEMBERS.c.fingerprint).where(MEMBERS.c.group == bindparam("group"))
_OF_GROUP: Final = _READ.where(ALERTS.c.fingerprint.in_(_MINE))
_NEW: Final = insert(ALERTS)
_PUT: Final = _NEW.on_conflict_do_update(
    index_elements=["fingerprint"],
    set_={column.name: _NEW.excluded[column.name] for column in ALERTS.c if not column.primary_key},
)
_ADD_GROUP: Final = insert(GROUPS).on_conflict_do_nothing()
_JOIN: Final = insert(MEMBERS).on_conflict_do_nothing()
_HURRY: Final = (
    update(GROUPS)
    .where(GROUPS.c.id == bindparam("name"), GROUPS.c.next_ns > bindparam("now"))
    .where((GROUPS.c.renew_ns > 0) | ~GROUPS.c.flushed)
    .values(next_ns=bindparam("now"), set_ns=bindparam("now"))
)
"""Statements that are run for each alert: made once, since making one costs more than running it."""


def read(connection: Connection, *where: ColumnElement[bool]) -> list[KnownAlert]:
    """Return alerts; ours that fire have annotations and value of their last evaluation."""
    return [_alert(row) for row in connection.execute(_READ.where(*where))]


def one(connection: Connection, name: str) -> KnownAlert | None:
    """Return the alert of a fingerprint."""
    row = connection.execute(_ONE, {"name": name}).one_or_none()
    return None if row is None else _alert(row)


def of_group(connection: Connection, group: str) -> list[Member]:
    """Return the alerts of a group."""
    rows = connection.execute(select(MEMBERS).where(MEMBERS.c.group == group)).all()
    notes = {row.fingerprint: (row.note, row.noted_ns) for row in rows}
    alerts = [_alert(row) for row in connection.execute(_OF_GROUP, {"group": group})]
    return [Member(alert, *notes[alert.fingerprint]) for alert in alerts]


def put(connection: Connection, alert: KnownAlert) -> None:
    """Write an alert, in place of what was known of it."""
    labels, annotations = json.dumps(dict(sorted(alert.labels.items()))), json.dumps(dict(alert.annotations))
    connection.execute(_PUT, {**asdict(alert), "labels": labels, "annotations": annotations})


def route(connection: Connection, policy: Policy, alert: KnownAlert, now_ns: int) -> list[str]:
    """Put an alert in its groups, which are made if they are not there; return their ids.

    A route has a group for the lines that remember what they were told, and one for each rhythm of those that do not.
    A group that waits for its first look is looked at now for an alert that has waited already; one that renews always.
    """
    groups = []
    for taken in policy.taking(alert.labels):
        labels = taken.group_labels(alert.labels)
        for renew_ns in policy.rhythms.get(taken.receiver, {0: ()}):
            name = group_id(taken, labels, renew_ns)
            late = bool(renew_ns) or alert.starts_ns + taken.group_wait_ns < now_ns
            row = {
                "id": name,
                "route": taken.key,
                "labels": json.dumps(labels),
                "renew_ns": renew_ns,
                "next_ns": now_ns if late else now_ns + taken.group_wait_ns,
                "set_ns": now_ns,
                "flushed": False,
            }
            connection.execute(_ADD_GROUP, row)
            if late:
                connection.execute(_HURRY, {"name": name, "now": now_ns})
            member = {"group": name, "fingerprint": alert.fingerprint, "note": "", "noted_ns": 0}
            connection.execute(_JOIN, member)
            groups.append(name)
    return groups


def reroute(connection: Connection, policy: Policy, now_ns: int) -> None:
    """Put every alert where the routes want it now; groups of routes that are no more are dropped."""
    kept = set[tuple[str, str]]()
    for alert in read(connection):
        kept.update((name, alert.fingerprint) for name in route(connection, policy, alert, now_ns))
    for row in connection.execute(select(MEMBERS)).all():
        if (row.group, row.fingerprint) not in kept:
            mine = (MEMBERS.c.group == row.group) & (MEMBERS.c.fingerprint == row.fingerprint)
            connection.execute(delete(MEMBERS).where(mine))
    tidy(connection)


def tidy(connection: Connection) -> None:
    """Drop groups without alerts, and alerts without a group: they are over and told."""
    connection.execute(delete(GROUPS).where(GROUPS.c.id.not_in(select(MEMBERS.c.group))))
    connection.execute(delete(ALERTS).where(ALERTS.c.fingerprint.not_in(select(MEMBERS.c.fingerprint))))


def leave(connection: Connection, group: str, alerts: Sequence[KnownAlert]) -> None:
    """Take alerts out of a group."""
    for alert in alerts:
        mine = (MEMBERS.c.group == group) & (MEMBERS.c.fingerprint == alert.fingerprint)
        connection.execute(delete(MEMBERS).where(mine))


def note(connection: Connection, group: str, alert: KnownAlert, text: str, noted_ns: int = 0) -> None:
    """Have something more told of an alert in a group; with `noted_ns` to those who know of that firing."""
    mine = (MEMBERS.c.group == group) & (MEMBERS.c.fingerprint == alert.fingerprint)
    texts = case((MEMBERS.c.note == "", text), else_=MEMBERS.c.note + f"; {text}")
    connection.execute(update(MEMBERS).where(mine).values(note=texts, noted_ns=noted_ns))


def unnote(connection: Connection, alert: KnownAlert) -> None:
    """Forget that the firing of an alert which begins now was to be taken back: it turned out to be true."""
    mine = (MEMBERS.c.fingerprint == alert.fingerprint) & (MEMBERS.c.noted_ns == alert.starts_ns)
    connection.execute(update(MEMBERS).where(mine).values(note="", noted_ns=0))


def clear_notes(connection: Connection, group: str) -> None:
    """Forget what was to be told, once the group was looked at."""
    noted = (MEMBERS.c.group == group) & (MEMBERS.c.note != "")
    connection.execute(update(MEMBERS).where(noted).values(note="", noted_ns=0))


def group_id(taken: Route, labels: dict[str, str], renew_ns: int) -> str:
    """Return the name of a group: the route's key and the labels, and how often it is renewed.

    Two groups never share one: a route's key has its place among those that ask for the same.
    """
    return f"{taken.key}:{stream_text(labels)}" + (f"~{renew_ns // NS_PER_S}s" if renew_ns else "")


def _alert(row: Any) -> KnownAlert:  # a row: SQLAlchemy types its columns as anything
    ours = row.newest is not None and row.ends_ns == 0
    value = row.now if ours else row.value
    return KnownAlert(
        fingerprint=row.fingerprint,
        labels=json.loads(row.labels),
        annotations=json.loads(row.newest if ours else row.annotations),
        starts_ns=row.starts_ns,
        ends_ns=row.ends_ns,
        updated_ns=row.updated_ns,
        timeout=row.timeout,
        generator_url=row.generator_url,
        rule=row.rule,
        key=row.key,
        value=value,
    )
