"""Alerts about alerting itself: what keeps rules from being true. Pure.

Comes in: how all rules and sources stand, and the time. Goes out: which of the built-in rules hold, for what, and a
text each. They are alerts as all others: they have states, are told once, and are over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tailrace.alerts.model import Group, Rule
from tailrace.batch import stream_text
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tailrace.alerts.evaluate.tasks import Task
    from tailrace.alerts.evaluate.watermarks import Behind
    from tailrace.alerts.kept.store import Progress

INTERVAL_NS: Final = 30 * NS_PER_S

FAILURES: Final = 3
"""Evaluations that fail one after the other before it is an alert."""

LAG_NS: Final = 120 * NS_PER_S
"""How far a rule may be behind, apart from what it waits for sources and its interval."""

SKIPPED_NS: Final = 3600 * NS_PER_S
"""How long it is told that windows were skipped."""

OUTBOX_NS: Final = 300 * NS_PER_S
"""How long it may take until an alert is handed over to its receivers."""

STUCK_NS: Final = 120 * NS_PER_S
"""How long a source may make no progress while it is behind."""

MOST: Final = 100
"""Alerts of one kind: a thousand rules that fail together are no thousand alerts."""

NAMESPACE: Final = "tailrace"


def _rule(name: str, expr: str, summary: str) -> Rule:
    labels = {"severity": "warning"}
    return Rule(f"{NAMESPACE}:{name}", expr, name, labels=labels, annotations={"summary": summary})


FAILING: Final = _rule(
    "TailraceRuleFailing",
    f"tailrace_rule_consecutive_failures >= {FAILURES}",
    "The rule {{ $labels.rule }} failed {{ $value }} times in a row: its alerts stay as they are.",
)
LAGGING: Final = _rule(
    "TailraceRuleLagging",
    f"tailrace_rule_lag_seconds > {LAG_NS // NS_PER_S}",
    "The rule {{ $labels.rule }} is {{ $value | humanizeDuration }} behind.",
)
SKIPPED: Final = _rule(
    "TailraceWindowsSkipped",
    "increase(tailrace_rule_missed_total[1h]) > 0",
    "Windows of the rule {{ $labels.rule }} were too old to be made up for: nobody knows what it would have said.",
)
OUTBOX: Final = _rule(
    "TailraceOutboxStuck",
    f"tailrace_alert_outbox_age_seconds > {OUTBOX_NS // NS_PER_S}",
    "Alerts wait for {{ $value | humanizeDuration }} to be handed over to their receivers.",
)
STUCK: Final = _rule(
    "TailraceWatermarkStuck",
    f"tailrace_source_stuck_seconds > {STUCK_NS // NS_PER_S}",
    "The source {{ $labels.stuck }} made no progress for {{ $value | humanizeDuration }}: rules wait for its lines.",
)
MISSING: Final = _rule(
    "TailraceSourceMissing",
    "tailrace_source_missing > 0",
    "The source {{ $labels.missing }} is so far behind that rules do not wait for it: nothing is resolved without it.",
)
RULES: Final = (FAILING, LAGGING, SKIPPED, OUTBOX, STUCK, MISSING)

GROUP: Final = Group(NAMESPACE, "health", INTERVAL_NS, RULES)
"""The built-in rules, as they are shown. What stands for an expression names a metric of `/metrics`."""


@dataclass(slots=True)
class Sources:
    """Remembers since when each source makes no progress."""

    _seen: dict[str, tuple[float, int]] = field(default_factory=dict)  # up to when complete, and since when that is so

    def look(self, behind: Sequence[Behind], now_ns: int) -> dict[str, int]:
        """Return for each source that is behind for how long it made no progress, in nanoseconds."""
        names = {one.name for one in behind}
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        found = {}
        for one in behind:
            complete_ns = now_ns - one.seconds * NS_PER_S
            was_ns, since_ns = self._seen.get(one.name, (complete_ns, now_ns))
            moved = complete_ns > was_ns + NS_PER_S // 2 or math.isinf(one.seconds)  # of a start nothing is known
            if moved or one.seconds * NS_PER_S < STUCK_NS / 2:
                was_ns, since_ns = complete_ns, now_ns
            self._seen[one.name] = was_ns, since_ns
            found[one.name] = now_ns - since_ns
        return found


def findings(
    tasks: Iterable[Task],
    progress: Mapping[str, Progress],
    *,
    wait_ns: int,
    stuck: Mapping[str, int],
    missing: Iterable[str],
    outbox_ns: int,
    now_ns: int,
) -> dict[str, dict[str, float]]:
    """Return for each built-in rule, by its id, the label sets that fulfil it and their values."""
    found: dict[str, dict[str, float]] = {rule.id: {} for rule in RULES}
    for task in tasks:
        how = progress.get(task.rule.id)
        if how is not None:
            _of_rule(task, how, wait_ns, now_ns, found)
    for name, still_ns in stuck.items():
        if still_ns > STUCK_NS:
            found[STUCK.id][_key(STUCK, {"stuck": name})] = still_ns / NS_PER_S
    for name in missing:
        found[MISSING.id][_key(MISSING, {"missing": name})] = 1.0
    if outbox_ns > OUTBOX_NS:
        found[OUTBOX.id][_key(OUTBOX, {})] = outbox_ns / NS_PER_S
    return found


def _of_rule(task: Task, how: Progress, wait_ns: int, now_ns: int, found: dict[str, dict[str, float]]) -> None:
    def note(rule: Rule, value: float) -> None:
        if len(found[rule.id]) < MOST:
            labels = {"rule": task.rule.name, "group": task.group.name, "namespace": task.group.namespace}
            found[rule.id][_key(rule, labels)] = value

    if how.failures >= FAILURES:
        note(FAILING, how.failures)
    waits_ns = wait_ns if task.rule.max_wait_ns is None else task.rule.max_wait_ns
    lag_ns = now_ns - how.evaluated_ns - task.interval_ns
    if lag_ns > LAG_NS + waits_ns + task.rule.grace_ns:
        note(LAGGING, lag_ns / NS_PER_S)
    if how.skipped_ns and now_ns - how.skipped_ns < SKIPPED_NS:
        note(SKIPPED, 1.0)


def _key(rule: Rule, labels: Mapping[str, str]) -> str:
    return stream_text({**labels, **rule.labels, "alertname": rule.alert})
