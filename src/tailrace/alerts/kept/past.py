"""Read what windows left behind, of many rules at once: what was told, alerts as they were, how often it was corrected.

Comes in: for each rule, a window. Goes out: what is known of it, in one statement for all rules, since a burst of
late lines may touch ten thousand. A rule of which nothing is known is not in the result.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, String, cast, func, select

from tailrace.alerts.kept.tables import EVALUATIONS, OUTBOX
from tailrace.alerts.model import Alert, Told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Subquery


def told(connection: Connection, since: Mapping[str, int]) -> dict[str, list[Told]]:
    """Return what was told of the windows of rules, each from a time on, in the order of telling."""
    given, out = _given(since), OUTBOX.c
    wanted = select(out.rule, out.key, out.kind, out.at_ns).select_from(given)
    wanted = wanted.join(OUTBOX, (out.rule == given.c.rule) & (out.at_ns >= given.c.at_ns)).order_by(out.id)
    found: dict[str, list[Told]] = defaultdict(list)
    for row in connection.execute(wanted):
        found[row.rule].append(Told(row.key, row.kind, row.at_ns))
    return dict(found)


def alerts_before(connection: Connection, at: Mapping[str, int]) -> dict[str, dict[str, Alert]]:
    """Return the alerts of rules as the last window of each before a time left them."""
    given, log = _given(at), EVALUATIONS.c
    last = (
        select(log.alerts)
        .where(log.rule == given.c.rule, log.at_ns < given.c.at_ns)
        .order_by(log.at_ns.desc(), log.correction.desc())
        .limit(1)
        .correlate(given)
        .scalar_subquery()
    )
    rows = connection.execute(select(given.c.rule, last.label("alerts")).select_from(given))
    return {row.rule: _alerts(row.alerts) for row in rows if row.alerts}


def corrections(connection: Connection, since: Mapping[str, int]) -> dict[str, int]:
    """Return how often windows of rules, each from a time on, were corrected at most."""
    given, log = _given(since), EVALUATIONS.c
    most = (
        select(func.max(log.correction))
        .where(log.rule == given.c.rule, log.at_ns >= given.c.at_ns)
        .correlate(given)
        .scalar_subquery()
    )
    rows = connection.execute(select(given.c.rule, most.label("most")).select_from(given))
    return {row.rule: row.most for row in rows if row.most}


def _given(times: Mapping[str, int]) -> Subquery:
    """Return rules and times as a table of a statement: one value of it, however many they are."""
    each = func.json_each(json.dumps(list(times.items()))).table_valued("value")
    rule = cast(func.json_extract(each.c.value, "$[0]"), String)
    return select(rule.label("rule"), cast(func.json_extract(each.c.value, "$[1]"), Integer).label("at_ns")).subquery()


def _alerts(text: str) -> dict[str, Alert]:
    fields: dict[str, dict[str, Any]] = json.loads(text)  # JSON of `asdict`
    return {key: Alert(**alert) for key, alert in fields.items()}
