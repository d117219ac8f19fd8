"""Show rules with their states as Prometheus writes them.

Comes in: groups, and what the store says of their rules. Goes out: the JSON of `/api/v1/rules`. A rule that was not
evaluated yet has the health `unknown`, as there. Alerts that are over are no part of it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.model import Alert, Group, Rule
    from tailrace.alerts.store import Progress

    Json = Mapping[str, Any]  # a JSON object: nested, of several kinds

_WORST_FIRST: Final = ("firing", "pending")
_NEVER: Final = "0001-01-01T00:00:00Z"  # as Go writes a time that was not set


def shown(
    groups: Sequence[Group], progress: Mapping[str, Progress], alerts: Mapping[str, Mapping[str, Alert]]
) -> list[Json]:
    """Return groups with how far their rules are, and their alerts by rule."""
    return [_group(group, progress, alerts) for group in groups]


def time_text(at_ns: int) -> str:
    """Return a time as RFC 3339 writes it, with nanoseconds if it has any.

    >>> time_text(1_700_000_000_000_000_000), time_text(1_700_000_000_000_000_001)
    ('2023-11-14T22:13:20Z', '2023-11-14T22:13:20.000000001Z')
    """
    seconds, rest = divmod(at_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


def _group(group: Group, progress: Mapping[str, Progress], alerts: Mapping[str, Mapping[str, Alert]]) -> Json:
    rules = [_rule(rule, progress.get(rule.id), alerts.get(rule.id, {})) for rule in group.rules]
    took_ns = sum(progress[rule.id].took_ns for rule in group.rules if rule.id in progress)
    return {
        "name": group.name,
        "file": group.namespace,
        "rules": rules,
        "interval": group.interval_ns / NS_PER_S,
        "limit": group.limit,
        "evaluationTime": took_ns / NS_PER_S,
        "lastEvaluation": max((rule["lastEvaluation"] for rule in rules), default=_NEVER),
    }


def _rule(rule: Rule, how: Progress | None, alerts: Mapping[str, Alert]) -> Json:
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
    }
    if rule.record:
        return {**common, "type": "recording"}
    living = [alert for alert in alerts.values() if alert.state in _WORST_FIRST]
    return {
        **common,
        "type": "alerting",
        "state": next((state for state in _WORST_FIRST if any(one.state == state for one in living)), "inactive"),
        "duration": rule.for_ns / NS_PER_S,
        "keepFiringFor": rule.keep_firing_for_ns / NS_PER_S,
        "annotations": dict(rule.annotations),
        "alerts": [_alert(alert) for alert in living],
    }


def _alert(alert: Alert) -> Json:
    shown_now = {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state,
        "activeAt": time_text(alert.active_ns),
        "value": f"{alert.value:e}",
    }
    if alert.keep_since_ns:
        shown_now["keepFiringSince"] = time_text(alert.keep_since_ns)
    return shown_now
