"""How alerts are shown: in plain words, or in those of puppylog, which people brought along. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from tailrace.alerts.expressions import expression
from tailrace.batch import stream_text
from tailrace.errors import QueryError
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.cli.options import Wording

CONDITIONS: Final = {
    ">": "above",
    ">=": "at or above",
    "<": "below",
    "<=": "at or below",
    "==": "equal to",
    "!=": "other than",
}


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alerting rule with how it stands, as a folder or a server tells."""

    id: str
    name: str
    namespace: str
    group: str
    expr: str
    interval_s: float
    for_s: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)  # templates
    state: str = "inactive"  # the worst of its alerts
    evaluated: str = ""  # the newest window; empty: none yet
    outcome: str = ""  # of that window
    error: str = ""  # of that window

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "outcome": self.outcome,
            "error": self.error,
            "evaluated": self.evaluated or None,
            "namespace": self.namespace,
            "group": self.group,
            "expr": self.expr,
            "interval_s": self.interval_s,
            "for_s": self.for_s,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }


@dataclass(frozen=True, slots=True)
class Past:
    """One line of a history: a signal with its value, or the end of an alert."""

    at_ns: int
    kind: Literal["signal", "recovered"]
    labels: Mapping[str, str]
    value: float | None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {"time": iso(self.at_ns), "kind": self.kind, "labels": dict(self.labels), "value": self.value}


def number(value: float) -> str:
    """Return a value as people write it.

    >>> number(1200.0), number(12.5), number(float("nan"))
    ('1200', '12.5', 'nan')
    """
    return format(value, ".15g")


def condition(expr: str) -> str:
    """Return what an expression compares its value with, in words; empty if it compares with no number.

    >>> condition('sum(rate({app="x"}[1m])) > 1.5'), condition('sum(rate({app="x"}[1m]))')
    ('above 1.5', '')
    """
    try:
        found = expression(expr)
    except QueryError:  # of a built-in rule, which asks for no lines
        return ""
    return f"{CONDITIONS[found.op]} {number(found.threshold)}" if found.op else ""


def segment(labels: Mapping[str, str], leave_out: Mapping[str, str] | None = None) -> str:
    """Return what tells one series from the others: the value of its only label, or all labels.

    >>> segment({}), segment({"section": "/api"}), segment({"a": "1", "b": "2"})
    ('', '/api', '{a="1", b="2"}')
    """
    kept = {name: text for name, text in labels.items() if name != "alertname" and name not in (leave_out or {})}
    return next(iter(kept.values())) if len(kept) == 1 else stream_text(kept) if kept else ""


def history_line(row: AlertRow, past: Past) -> str:
    """Return a line of a history: `ISO[,segment]: observed (alert: above level)`, or `ISO[,segment]: recovered`."""
    which = segment(past.labels, row.labels)
    at = f"{iso(past.at_ns)},{which}" if which else iso(past.at_ns)
    return f"{at}: recovered" if past.value is None else f"{at}: {observed(row, past.value)}"


def observed(row: AlertRow, value: float) -> str:
    """Return a value with what it was compared with."""
    return f"{number(value)} (alert: {condition(row.expr) or 'there is a value'})"


def status_line(row: AlertRow, pasts: Sequence[Past], wording: Wording) -> str:
    """Return how an alert stands, on one line; `pasts` is its history, newest first."""
    last = next((past for past in pasts if past.kind == "signal"), None)
    state = "recovered" if row.state == "inactive" and last else row.state
    words = _PUPPYLOG[state] if wording == "puppylog" else state
    comma = "" if words.endswith("!") else ","
    said = f"{comma} last signal {history_line(row, last)}" if last and state != "inactive" else ""
    unsure = {"error": f" (not known now: {row.error})", "late": " (a source is late)"}.get(row.outcome, "")
    return f"{row.name}: {words}{said}{unsure}"


_PUPPYLOG: Final = {
    "inactive": "All good!!!",
    "pending": "pending",
    "firing": "Ringing a bell!!!",
    "recovered": "recovered",
}


def available(names: Sequence[str]) -> str:
    """Return the list of alerts as puppylog prints it."""
    return "\n".join(
        [
            "Available alerts:",
            *names,
            "",
            "To observe all alert statuses run:",
            "tailrace alerts observe",
            "",
            "To view alert details run:",
            "tailrace alerts get <alert name>",
            "tailrace alerts meta <alert name>",
        ]
    )
