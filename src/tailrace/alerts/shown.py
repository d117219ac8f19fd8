"""Show rules with their states as Prometheus writes them.

Comes in: groups, and what is known of their rules. Goes out: the JSON of `/api/v1/rules`. A rule that was not
evaluated yet has the health `unknown`, as there. Beyond Prometheus a rule has its `id`, the `outcome` of its last
window, the sources that this lacks (`missing`), alerts that are over but still told (`recovered`), and `warnings`.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.kept.store import Standings
    from tailrace.alerts.model import Alert, Group, Rule

    Json = Mapping[str, Any]  # a JSON object: nested, of several kinds

_WORST_FIRST: Final = ("firing", "pending")
_NEVER: Final = "0001-01-01T00:00:00Z"  # as Go writes a time that was not set


def shown(
    groups: Sequence[Group], standings: Standings, warnings: Mapping[str, Sequence[str]] | None = None
) -> list[Json]:
    """Return groups with how their rules stand; `warnings` are by the ids of rules."""
    return [_group(group, standings, warnings or {}) for group in groups]


def time_text(at_ns: int) -> str:
    """Return a time as RFC 3339 writes it, with nanoseconds if it has any.

    >>> time_text(1_700_000_000_000_000_000), time_text(1_700_000_000_500_000_000)
    ('2023-11-14T22:13:20Z', '2023-11-14T22:13:20.5Z')
    """
    seconds, rest = divmod(at_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


def exponent_text(value: float) -> str:
    """Return a number as Prometheus writes the value of an alert: shortest, with an exponent.

    >>> exponent_text(1.0), exponent_text(0.0125), exponent_text(-123456.0), exponent_text(0.0)
    ('1e+00', '1.25e-02', '-1.23456e+05', '0e+00')
    """
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"
    number = Decimal(repr(value)).normalize()
    sign, digits, _ = number.as_tuple()
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}{'.' * bool(rest)}{''.join(rest)}e{number.adjusted() if value else 0:+03d}"


def _group(group: Group, standings: Standings, warnings: Mapping[str, Sequence[str]]) -> Json:
    reached = [standings.progress[rule.id] for rule in group.rules if rule.id in standings.progress]
    return {
        "name": group.name,
        "file": group.namespace,
        "interval": group.interval_ns / NS_PER_S,
        "limit": group.limit,
        "queryOffset": group.query_offset_ns / NS_PER_S,
        "labels": dict(group.labels),
        "editable": group.editable,
        "evaluationTime": sum(each.took_ns for each in reached) / NS_PER_S,
        "lastEvaluation": time_text(max(each.evaluated_ns for each in reached)) if reached else _NEVER,
        "rules": [_rule(rule, standings, warnings.get(rule.id, ())) for rule in group.rules],
    }


def _rule(rule: Rule, standings: Standings, warnings: Sequence[str]) -> Json:
    how = standings.progress.get(rule.id)
    health = "unknown" if how is None or not how.outcome else "err" if how.outcome == "error" else "ok"
    common = {
        "id": rule.id,
        "name": rule.name,
        "query": rule.expr,
        "labels": dict(rule.labels),
        "health": health,
        "lastError": "" if how is None else how.error,
        "evaluationTime": 0.0 if how is None else how.took_ns / NS_PER_S,
        "lastEvaluation": _NEVER if how is None else time_text(how.evaluated_ns),
        "outcome": "" if how is None else how.outcome,
        "missing": list(standings.missing.get(rule.id, ())),
        "warnings": list(warnings),
    }
    if rule.record:
        return {**common, "type": "recording"}
    alerts = standings.alerts.get(rule.id, {}).values()
    states = {alert.state for alert in alerts}
    return {
        **common,
        "type": "alerting",
        "state": next((state for state in _WORST_FIRST if state in states), "inactive"),
        "duration": rule.for_ns / NS_PER_S,
        "keepFiringFor": rule.keep_firing_for_ns / NS_PER_S,
        "annotations": dict(rule.annotations),
        "alerts": [_alert(alert) for alert in alerts if alert.state in _WORST_FIRST],
        "recovered": [_alert(alert) for alert in alerts if alert.state == "recovered"],
    }


def _alert(alert: Alert) -> Json:
    said = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state,
        "activeAt": time_text(alert.active_ns),
        "value": exponent_text(alert.value),
    }
    for name, at_ns in (("keepFiringSince", alert.keep_since_ns), ("resolvedAt", alert.resolved_ns)):
        if at_ns:
            said[name] = time_text(at_ns)
    return said
