"""Read what windows left behind, of many rules at once: what was told, alerts as they were, how often it was corrected.

Comes in: for each rule, a window. Goes out: what is known of it, in one statement for all rules, since a burst of
late lines may touch ten thousand. A rule of which nothing is known is not in the result.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from tailrace.alerts.kept.tables import EVALUATIONS, OUTBOX
from tailrace.alerts.model import Alert, Told
from tailrace.control import pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


def told(connection: Connection, since: Mapping[str, int]) -> dict[str, list[Told]]:
    """Return what was told of the windows of rules, each from a time on, in the order of telling."""
    given, out = pairs(since.items()), OUTBOX.c
    wanted = select(out.rule, out.key, out.kind, out.at_ns).select_from(given)
    wanted = wanted.join(OUTBOX, (out.rule == given.c.text) & (out.at_ns >= given.c.number)).order_by(out.id)
    found: dict[str, list[Told]] = defaultdict(list)
    for row in connection.execute(wanted):
        found[row.rule].append(Told(row.key, row.kind, row.at_ns))
    return dict(found)


def alerts_before(connection: Connection, at: Mapping[str, int]) -> dict[str, dict[str, Alert]]:
    """Return the alerts of rules as the last window of each before a time left them."""
    given, log = pairs(at.items()), EVALUATIONS.c
    last = (
        select(log.alerts)
        .where(log.rule == given.c.text, log.at_ns < given.c.number)
        .order_by(log.at_ns.desc(), log.correction.desc())
        .limit(1)
        .correlate(given)
        .scalar_subquery()
    )
    rows = connection.execute(select(given.c.text, last.label("alerts")).select_from(given))
    return {row.text: _alerts(row.alerts) for row in rows if row.alerts}


def corrections(connection: Connection, since: Mapping[str, int]) -> dict[str, int]:
    """Return how often windows of rules, each from a time on, were corrected at most."""
    given, log = pairs(since.items()), EVALUATIONS.c
    most = (
        select(func.max(log.correction))
        .where(log.rule == given.c.text, log.at_ns >= given.c.number)
        .correlate(given)
        .scalar_subquery()
    )
    rows = connection.execute(select(given.c.text, most.label("most")).select_from(given))
    return {row.text: row.most for row in rows if row.most}


def _alerts(text: str) -> dict[str, Alert]:
    fields: dict[str, dict[str, Any]] = json.loads(text)  # JSON of `asdict`
    return {key: Alert(**alert) for key, alert in fields.items()}
