"""How alerts are shown: in plain words, or in those of puppylog, which people brought along. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.rules.expressions import expression
from tailrace.batch import stream_text
from tailrace.errors import QueryError
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.alerts.kept.history import Entry
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


def entry_json(entry: Entry) -> dict[str, Any]:
    """Return a line of a history for programs."""
    value = None if entry.value is None else json_number(entry.value)
    return {"time": iso(entry.at_ns), "kind": entry.kind, "labels": dict(entry.labels), "value": value}


def number(value: float) -> str:
    """Return a value as people write it.

    >>> number(1200.0), number(12.5), number(float("nan"))
    ('1200', '12.5', 'nan')
    """
    return format(value, ".15g")


def json_number(value: float) -> float | str:
    """Return a value as JSON can hold it: what is no number is a text.

    >>> json_number(1.5), json_number(float("inf"))
    (1.5, 'inf')
    """
    return value if math.isfinite(value) else str(value)


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


def history_line(row: AlertRow, entry: Entry) -> str:
    """Return a line of a history: `ISO[,segment]: observed (alert: above level)`, or `ISO[,segment]: recovered`."""
    which = segment(entry.labels, row.labels)
    at = f"{iso(entry.at_ns)},{which}" if which else iso(entry.at_ns)
    return f"{at}: recovered" if entry.value is None else f"{at}: {observed(row, entry.value)}"


def observed(row: AlertRow, value: float) -> str:
    """Return a value with what it was compared with."""
    return f"{number(value)} (alert: {condition(row.expr) or 'there is a value'})"


def status_line(row: AlertRow, entries: Sequence[Entry], wording: Wording) -> str:
    """Return how an alert stands, on one line; `entries` are its history, newest first."""
    last = next((entry for entry in entries if entry.kind == "signal"), None)
    state = "recovered" if row.state == "inactive" and entries else row.state
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
