"""Carry the alerts of one rule from one evaluation to the next: pure, and the same whenever it is done again.

Comes in: a rule, its alerts so far, and what an evaluation gave. Goes out: its alerts now, and what of that must be
told. The table is Prometheus' (pending, firing, kept firing, gone), with three differences that its users asked for:
an evaluation that failed or is not complete resolves nothing, time is the time of the windows and not of the
evaluator, and an alert that is over is kept as `recovered`, with the time at which it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from tailrace.alerts.model import Alert
from tailrace.batch import stream_labels, stream_text
from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.alerts.model import Evaluation, Rule

    Filled = Callable[[Mapping[str, str], float], Mapping[str, str]]

KEPT_NS: Final = 15 * 60 * NS_PER_S
"""A recovered alert is kept this long, so that its end can be told again to a receiver that was away."""


_OWN: Final = {"alertname", "__name__"}


@dataclass(frozen=True, slots=True)
class Change:
    """Something about an alert that is worth telling: it fires, or it is over."""

    key: str  # its labels
    kind: Literal["firing", "resolved"]
    alert: Alert
    at_ns: int


def step(
    rule: Rule, alerts: Mapping[str, Alert], evaluation: Evaluation, annotate: Filled
) -> tuple[dict[str, Alert], list[Change]]:
    """Return the alerts after an evaluation, by their labels, and what changed for receivers.

    `annotate` fills the rule's annotations in for the labels of a result and a value.
    """
    if evaluation.outcome == "error" or evaluation.keep:
        return {key: _unknown(alert) for key, alert in alerts.items()}, []
    at_ns, after, changes = evaluation.at_ns, dict[str, Alert](), list[Change]()
    for key, value in evaluation.series.items():
        labels = stream_labels(key)
        after[key] = _present(rule, alerts.get(key), labels, value, at_ns)
        after[key] = replace(after[key], annotations=annotate(evaluation.results.get(key, labels), value))
    for key, alert in alerts.items():
        if key in after:
            continue
        sure = evaluation.outcome != "late" and not (evaluation.kept and series(rule, alert.labels) in evaluation.kept)
        if (absent := _absent(rule, alert, at_ns, sure=sure)) is not None:
            after[key] = absent
    for key, alert in after.items():
        before = alerts.get(key)
        was = before is not None and before.state == "firing" and before.generation == alert.generation
        if alert.state == "firing" and not was:
            changes.append(Change(key, "firing", alert, at_ns))
        elif was and alert.state != "firing":  # over, or asked for more patience: who was told of it, learns that
            changes.append(Change(key, "resolved", alert, at_ns))
    return after, changes


def not_after(alert: Alert, at_ns: int) -> Alert:
    """Return an alert of which nothing lies behind a time: what came later was seen by a clock that was wrong."""
    return replace(
        alert,
        active_ns=min(alert.active_ns, at_ns),
        fired_ns=min(alert.fired_ns, at_ns),
        resolved_ns=min(alert.resolved_ns, at_ns),
        keep_since_ns=min(alert.keep_since_ns, at_ns),
    )


def series(rule: Rule, labels: Mapping[str, str]) -> str:
    """Return the labels of a result without those that its rule sets: what an alert and its series have in common."""
    return stream_text({name: text for name, text in labels.items() if name not in rule.labels and name not in _OWN})


def _present(rule: Rule, alert: Alert | None, labels: Mapping[str, str], value: float, at_ns: int) -> Alert:
    """Return the alert of a series that fulfils the condition."""
    if alert is None or alert.state == "recovered":
        generation = 0 if alert is None else alert.generation
        alert = Alert(labels, "pending", at_ns, value, generation=generation + 1)
    long_enough = at_ns - alert.active_ns >= rule.for_ns
    if alert.state == "pending" and long_enough:
        return replace(alert, state="firing", value=value, fired_ns=at_ns, keep_since_ns=0)
    if alert.state == "firing" and not long_enough:  # the rule asks for more patience than it did
        return replace(alert, state="pending", value=value, keep_since_ns=0)
    return replace(alert, value=value, keep_since_ns=0)


def _unknown(alert: Alert) -> Alert:
    """Return an alert after a window of which nothing is known: it may have been true, so keeping it begins anew."""
    return replace(alert, keep_since_ns=0) if alert.keep_since_ns else alert


def _absent(rule: Rule, alert: Alert, at_ns: int, *, sure: bool) -> Alert | None:
    """Return the alert of a series that does not, or of which nothing is known if not `sure`; None to forget it."""
    if alert.state == "recovered":
        return alert if at_ns - alert.resolved_ns < KEPT_NS else None
    if not sure:
        return _unknown(alert)
    if alert.state == "pending":
        return None
    since_ns = alert.keep_since_ns or at_ns
    if at_ns - since_ns < rule.keep_firing_for_ns:
        return replace(alert, keep_since_ns=since_ns)
    return replace(alert, state="recovered", resolved_ns=at_ns, keep_since_ns=0)
