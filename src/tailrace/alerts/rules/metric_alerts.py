"""Alerts on metrics: a statistic of a metric over a window, compared with a level. Pure.

Comes in: a metric and what to watch of it. Goes out: a rule group as it is saved, with one rule in LogQL, so everything
that works for rules works for it. It fires while the value is strictly above the level.

A metric of sums (`count`, `sum`) is added up over the window, or averaged over the window's periods; periods without
lines count as 0, since the sum is divided by how many periods the window has. Every other metric is taken of all lines
of the window, with its own statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tailrace.alerts.rules.expressions import expression as taken_apart
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.query.literals import write_duration
from tailrace.rollups import forms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.rollups.model import Metric

NAMESPACE: Final = "alerts"
"""Where alerts are saved that commands make: one group for each."""

WINDOW_S: Final = 120
"""The window of an alert that does not say."""

_ADDED_UP: Final = {"count", "sum", "total"}
_AVERAGE: Final = {"avg", "average", "mean"}
_SUM: Final = {"sum", "total"}
_LAST: Final = "last"


@dataclass(frozen=True, slots=True)
class MetricAlert:
    """What to watch of a metric; `statistic` empty: the average of sums, or else the metric's own."""

    name: str
    metric: Metric
    level: float
    statistic: str = ""
    window_s: int = WINDOW_S
    period_s: int | None = None  # between two looks; None: the metric's
    for_s: int = 0


def rule_group(alert: MetricAlert) -> Mapping[str, Any]:
    """Return the group of an alert as `RuleBook.save` takes it; `QueryError` says why there is none."""
    if not math.isfinite(alert.level):
        raise QueryError(f"the level {alert.level} is no number to compare with")
    period_s = alert.metric.period_ns // NS_PER_S if alert.period_s is None else alert.period_s
    if period_s < 1:
        raise QueryError(f"a period of {period_s} s is too short", hint="a second at least")
    statistic, value = _value(alert)
    window = _window(alert)
    said = {
        "summary": f"{alert.metric.name}: {statistic} over {window} is {{{{ $value }}}}, above {_number(alert.level)}",
        "metric": alert.metric.name,
        "statistic": statistic,
        "window": window,
        "level": _number(alert.level),
    }
    rule: dict[str, object] = {"alert": alert.name, "expr": f"{value} > {_number(alert.level)}", "annotations": said}
    if alert.for_s:
        rule["for"] = f"{alert.for_s}s"
    if statistic in _ADDED_UP | _AVERAGE and alert.metric.form is not None:
        rule["no_data"] = "zero"  # a window without lines has the value 0
    return {"name": alert.name, "interval": f"{period_s}s", "rules": [rule]}


def _value(alert: MetricAlert) -> tuple[str, str]:
    """Return the statistic and its expression."""
    form = alert.metric.form
    if form is None:
        if alert.statistic not in ("", _LAST):
            hint = f"leave --stat out: {_LAST} is its value, and the query may have a longer range"
            raise QueryError(f"{alert.metric.name!r} is a query, of which there is no {alert.statistic!r}", hint=hint)
        return _LAST, f"({alert.metric.expr})"
    whole = forms.expression(replace(form, period_s=_seconds(alert)))
    if form.statistic not in _ADDED_UP:
        if alert.statistic not in ("", form.statistic):
            hint = f"leave --stat out, or make a metric of that statistic: {alert.metric.name!r} is {form.statistic}"
            raise QueryError(f"there is no {alert.statistic!r} of {form.statistic}", hint=hint)
        return form.statistic, whole
    if alert.statistic in _SUM:
        return "sum", whole
    if alert.statistic not in ("", *_AVERAGE):
        raise QueryError(f"there is no {alert.statistic!r} of sums", hint="avg per period, or sum")
    periods = alert.window_s / (alert.metric.period_ns / NS_PER_S)
    return "avg", f"{whole} / {periods:.15g}"


def _seconds(alert: MetricAlert) -> int:
    if alert.window_s < 1:
        raise QueryError(f"a window of {alert.window_s} s is too short", hint="a second at least")
    return alert.window_s


def _window(alert: MetricAlert) -> str:
    """Return how far the alert looks back, as a duration."""
    if alert.metric.form is not None:
        return write_duration(alert.window_s * NS_PER_S)
    reach = taken_apart(alert.metric.expr).reach
    return write_duration(reach.far_ns - reach.near_ns)


def _number(value: float) -> str:
    """Return a number as it is written shortest without being another one.

    >>> _number(10.0), _number(0.1), _number(-2.5), _number(1e30)
    ('10', '0.1', '-2.5', '1e+30')
    """
    return repr(value).removesuffix(".0")
