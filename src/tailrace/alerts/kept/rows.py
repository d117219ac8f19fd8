"""Rows of the alerting tables, made of what rules found, and read back.

Comes in: steps, alerts, what is to be told. Goes out: mappings of columns to values, for `store` to write. SQL has no
NaN: a value that is none is null.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.model import Alert
from tailrace.batch import stream_labels

if TYPE_CHECKING:
    from tailrace.alerts.kept.store import Step
    from tailrace.alerts.model import Told

_CORRECTION: Final = 2**32
"""Keeps what corrections tell apart: what was taken back may turn out to be true, and is told once more."""


def evaluation(step: Step, *, eventful: bool) -> dict[str, Any]:
    """Return the row of the log of a window."""
    found = step.evaluation
    values = [value for value in found.series.values() if not math.isnan(value)]
    return {
        "rule": step.rule,
        "version": step.version,
        "at_ns": found.at_ns,
        "correction": step.correction,
        "outcome": found.outcome,
        "series": len(found.series),
        "value": max(values, default=None),
        "rows": step.rows,
        "watermark_ns": step.watermark_ns,
        "late_ns": step.late_ns,
        "took_ns": step.took_ns,
        "error": found.error,
        "missing": json.dumps(found.missing),
        "alerts": json.dumps({key: asdict(alert) for key, alert in step.alerts.items()}) if step.alerts else "",
        "eventful": eventful,
    }


def skipped(rule: str, version: str, first_ns: int, last_ns: int) -> dict[str, Any]:
    """Return the row of the log of windows that were not evaluated."""
    return {
        "rule": rule,
        "version": version,
        "at_ns": last_ns,
        "correction": 0,
        "outcome": "skipped",
        "series": 0,
        "value": None,
        "rows": 0,
        "watermark_ns": 0,
        "late_ns": 0,
        "took_ns": 0,
        "error": f"the windows from {first_ns} to {last_ns} are too old to be made up for",
        "missing": "[]",
        "alerts": "",
        "eventful": True,
    }


def news(step: Step, told: Told, now_ns: int) -> dict[str, Any]:
    """Return the row of the outbox of what is to be told."""
    alert = step.alerts.get(told.key)
    return {
        "rule": step.rule,
        "key": told.key,
        "generation": step.correction * _CORRECTION + (0 if alert is None else alert.generation),
        "kind": told.kind,
        "at_ns": told.at_ns,
        "labels": json.dumps(dict(stream_labels(told.key))),
        "annotations": json.dumps({} if alert is None else dict(alert.annotations)),
        "value": None if alert is None or math.isnan(alert.value) else alert.value,
        "starts_ns": told.at_ns if alert is None or told.kind != "resolved" else alert.fired_ns,
        "ends_ns": 0 if told.kind == "firing" else told.at_ns,
        "written_ns": now_ns,
        "taken": False,
    }


def state(rule: str, key: str, alert: Alert) -> dict[str, Any]:
    """Return the row of an alert as it is now."""
    return {
        "rule": rule,
        "key": key,
        "state": alert.state,
        "active_ns": alert.active_ns,
        "fired_ns": alert.fired_ns,
        "resolved_ns": alert.resolved_ns,
        "keep_since_ns": alert.keep_since_ns,
        "value": None if math.isnan(alert.value) else alert.value,
        "annotations": json.dumps(dict(alert.annotations)),
        "generation": alert.generation,
    }


def alert(row: Any) -> Alert:  # a row of SQLAlchemy, which types its columns as anything
    """Return the alert of a row that `state` made."""
    return Alert(
        labels=stream_labels(row.key),
        state=row.state,
        active_ns=row.active_ns,
        value=math.nan if row.value is None else row.value,
        annotations=json.loads(row.annotations),
        fired_ns=row.fired_ns,
        resolved_ns=row.resolved_ns,
        keep_since_ns=row.keep_since_ns,
        generation=row.generation,
    )
