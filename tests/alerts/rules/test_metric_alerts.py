"""Alerts on metrics as rules: what is asked, over which window, and what has no meaning."""

from __future__ import annotations

import pytest

from tailrace.alerts.rules import defaults
from tailrace.alerts.rules.book import parsed
from tailrace.alerts.rules.expressions import expression
from tailrace.alerts.rules.metric_alerts import MetricAlert, rule_group
from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError
from tailrace.rollups import forms
from tailrace.rollups.forms import Form
from tailrace.rollups.model import metric_of

LINES = '{app="x"}'


def metric(*words, **more):
    form = Form(*words, **{"filter": LINES, "period_s": 10, **more})
    return metric_of("m", forms.expression(form), form=form, period_ns=form.period_s * NS_PER_S)


def rule(alert):
    (group,) = parsed("alerts", rule_group(alert))
    (found,) = group.rules
    return group, found


@pytest.mark.parametrize(
    ("words", "statistic", "expr"),
    [
        (("count",), "", f"sum (count_over_time({LINES} [1m])) / 6 > 2.5"),
        (("count",), "average", f"sum (count_over_time({LINES} [1m])) / 6 > 2.5"),
        (("count",), "sum", f"sum (count_over_time({LINES} [1m])) > 2.5"),
        (("sum", "bytes"), "avg", f'sum (sum_over_time({LINES} | unwrap bytes | __error__="" [1m])) / 6 > 2.5'),
        (("max", "bytes"), "", f'max_over_time({LINES} | unwrap bytes | __error__="" [1m]) by () > 2.5'),
        (("p99", "ms"), "p99", f'quantile_over_time(0.99, {LINES} | unwrap ms | __error__="" [1m]) by () > 2.5'),
    ],
)
def test_the_statistic_over_the_window_is_compared_with_the_level(words, statistic, expr):
    group, found = rule(MetricAlert("A", metric(*words), 2.5, statistic, window_s=60))
    assert (found.alert, found.expr, group.interval_ns) == ("A", expr, 10 * NS_PER_S)


def test_a_window_without_lines_is_zero_for_sums_and_nothing_for_the_rest():
    assert rule(MetricAlert("A", metric("count"), 1))[1].no_data == "zero"
    assert rule(MetricAlert("A", metric("max", "bytes"), 1))[1].no_data is None


def test_one_alert_per_segment():
    _, found = rule(MetricAlert("A", metric("count", segment="status"), 1, "sum", window_s=30))
    assert found.expr == f"sum by (status) (count_over_time({LINES} [30s])) > 1"


def test_what_it_was_made_of_is_said():
    _, found = rule(MetricAlert("A", metric("count"), -0.5, window_s=90, for_s=20))
    assert (found.for_ns, found.annotations) == (
        20 * NS_PER_S,
        {
            "summary": "m: avg over 1m30s is {{ $value }}, above -0.5",
            "metric": "m",
            "statistic": "avg",
            "window": "1m30s",
            "level": "-0.5",
        },
    )
    assert expression(found.expr).threshold == -0.5


def test_the_period_is_the_metrics_unless_it_says():
    assert rule(MetricAlert("A", metric("count"), 1, period_s=3))[0].interval_ns == 3 * NS_PER_S
    assert rule(MetricAlert("A", metric("count", period_s=7), 1))[0].interval_ns == 7 * NS_PER_S


def test_a_metric_of_a_query_is_compared_as_it_is():
    found = metric_of("q", f"sum(rate({LINES}[5m])) or vector(0)", period_ns=60 * NS_PER_S)
    group, alert = rule(MetricAlert("A", found, 4))
    assert (alert.expr, alert.annotations["window"]) == (f"({found.expr}) > 4", "5m")
    assert (group.interval_ns, alert.no_data) == (60 * NS_PER_S, None)


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (MetricAlert("A", metric("count"), float("inf")), "the level inf is no number"),
        (MetricAlert("A", metric("count"), 1, "max"), "there is no 'max' of sums"),
        (MetricAlert("A", metric("max", "bytes"), 1, "avg"), "there is no 'avg' of max"),
        (MetricAlert("A", metric("count"), 1, window_s=0), "a window of 0 s"),
        (MetricAlert("A", metric("count"), 1, period_s=0), "a period of 0 s"),
        (MetricAlert("A", metric_of("q", f"rate({LINES}[5m])"), 1, "avg"), "is a query"),
    ],
)
def test_what_has_no_meaning_is_refused(alert, said):
    with pytest.raises(QueryError, match=said):
        rule_group(alert)


def test_the_default_set_can_be_kept():
    metrics = {
        name: metric_of(name, forms.expression(form), form=form, period_ns=form.period_s * NS_PER_S)
        for name, form in defaults.METRICS.items()
    }
    asked = MetricAlert(
        defaults.ALERT,
        metrics[defaults.ALERT_METRIC],
        defaults.ALERT_LEVEL,
        window_s=defaults.ALERT_WINDOW_S,
        period_s=defaults.ALERT_PERIOD_S,
    )
    group, found = rule(asked)
    assert (found.name, group.interval_ns) == ("totaltraffic", 10 * NS_PER_S)
    assert found.expr == 'sum (count_over_time({host=~".+"} | method!="" [2m])) / 120 > 10'
