"""Unit tests of rules, from the file to the report: lines in, alerts out, on a clock of their own."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tailrace.alerts.unit_tests import report
from tailrace.alerts.unit_tests.files import load
from tailrace.alerts.unit_tests.run import run

RULES = """
groups:
- name: cart
  rules:
  - alert: CartErrors
    expr: sum by (host) (count_over_time({app="cart"} |= "error" [1m])) > 2
    for: 1m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.host }}: {{ $value }} in {{ $externalLabels.region }}"}
  - {record: "cart:errors:1m", expr: 'sum(count_over_time({app="cart"} |= "error" [1m]))', labels: {src: logs}}
- name: slow
  interval: 2m
  rules: [{alert: Silence, expr: 'sum(count_over_time({app="cart"}[2m])) < 1'}]
"""

LOGS = """
  input_logs:
  - stream: '{app="cart", host="a1"}'
    lines: [{at: 1s, every: 10s, count: 18, text: error boom}, {at: 3m, every: 1s, count: 9, text: fine}]
"""
"""Six errors in each of the first three minutes, and lines without any at the end."""

A1 = '{alertname="CartErrors", host="a1", severity="page"}'


def results(tmp_path, test: str, head: str = "", rules: str = RULES, wanted=lambda _name: True):
    (tmp_path / "rules.yaml").write_text(rules)
    path = tmp_path / "rules.test.yaml"
    path.write_text(f"rule_files: [rules.yaml]\n{head}\ntests:\n{test}")
    return list(run(load(path), wanted))


def failures(tmp_path, test: str, **more):
    (result,) = results(tmp_path, test, **more)
    return [(one.about, one.expected, one.got) for one in result.failures]


def test_what_is_as_expected_is_good(tmp_path):
    test = f"""
- interval: 1m
{LOGS}
  external_labels: {{region: eu}}
  alert_rule_test:
  - {{eval_time: 0m, alertname: CartErrors, outcome: empty}}
  - {{eval_time: 1m, alertname: CartErrors}}
  - eval_time: 1m
    alertname: CartErrors
    state: pending
    outcome: value
    exp_alerts: [{{exp_labels: {{host: a1, severity: page}}}}]
  - eval_time: 3m
    alertname: CartErrors
    exp_alerts: [{{exp_labels: {{host: a1, severity: page}}, exp_annotations: {{summary: "a1: 6 in eu"}}}}]
  - {{eval_time: 4m, alertname: CartErrors, outcome: zero}}
  - {{eval_time: 5m, alertname: CartErrors, state: recovered, exp_alerts: [{{exp_labels: {{host: a1, severity: page}}}}]}}
  notice_test:
  - eval_time: 10m
    alertname: CartErrors
    exp_notices:
    - {{kind: firing, at: 2m, exp_labels: {{host: a1, severity: page}}}}
    - {{kind: resolved, at: 4m, exp_labels: {{host: a1, severity: page}}}}
  promql_expr_test:
  - {{expr: "cart:errors:1m", eval_time: 2m, exp_samples: [{{labels: 'cart:errors:1m{{src="logs"}}', value: 6}}]}}
  - {{expr: 'ALERTS{{alertstate="pending"}}', eval_time: 1m, exp_samples: [{{labels: 'ALERTS{{alertname="CartErrors", alertstate="pending", host="a1", severity="page"}}', value: 1}}]}}
  - {{expr: 'ALERTS_FOR_STATE', eval_time: 2m, exp_samples: [{{labels: 'ALERTS_FOR_STATE{{alertname="CartErrors", host="a1", severity="page"}}', value: 60}}]}}
  logql_expr_test:
  - {{expr: 'sum by (host) (count_over_time({{app="cart"}}[3m]))', eval_time: 3m, exp_samples: [{{labels: '{{host="a1"}}', value: 19}}]}}
"""
    (result,) = results(tmp_path, test)
    assert (result.failures, result.checks) == ([], 11)


def test_what_is_not_says_what_there_is(tmp_path):
    test = f"""
- interval: 1m
{LOGS}
  alert_rule_test:
  - {{eval_time: 2m, alertname: CartErrors, exp_alerts: [{{exp_labels: {{host: b2, severity: page}}}}]}}
  - {{eval_time: 1m, alertname: CartErrors, outcome: zero}}
  - {{eval_time: 1m, alertname: CartError}}
  notice_test: [{{eval_time: 3m, alertname: CartErrors}}]
  logql_expr_test:
  - {{expr: 'sum(count_over_time({{app="cart"}}[1m]))', eval_time: 2m, exp_samples: [{{labels: '{{}}', value: 7}}]}}
  - {{expr: '{{app="cart"}}', eval_time: 2m}}
"""
    assert failures(tmp_path, test) == [
        ("alertname: CartErrors, time: 1m, outcome", ("zero",), ("value",)),
        (
            "alertname: CartError, time: 1m",
            ("a rule of this name",),
            ("alerts of the rule files: CartErrors, Silence",),
        ),
        ("alertname: CartErrors, time: 2m", (A1.replace("a1", "b2"),), (A1,)),
        ('expr: "sum(count_over_time({app=\\"cart\\"}[1m]))", time: 2m', ("{} 7",), ("{} 6",)),
        (
            'expr: "{app=\\"cart\\"}", time: 2m',
            (),
            ("error: this query gives lines, and a test compares numbers",),
        ),
        ("notices of: CartErrors, time: 3m", (), (f"firing at 2m {A1}",)),
    ]


def test_annotations_are_compared_where_they_are_expected(tmp_path):
    test = f"""
- interval: 1m
{LOGS}
  alert_rule_test:
  - eval_time: 2m
    alertname: CartErrors
    exp_alerts: [{{exp_labels: {{host: a1, severity: page}}, exp_annotations: {{summary: many}}}}]
"""
    ((_, expected, got),) = failures(tmp_path, test)
    assert expected == (f'{A1} annotations {{"summary": "many"}}',)
    assert got == (f'{A1} annotations {{"summary": "a1: 6 in "}}',)


def test_a_group_keeps_its_own_interval(tmp_path):
    test = """
- interval: 1m
  input_logs: [{stream: '{app="cart"}', lines: [{at: 30s, text: hello}]}]
  alert_rule_test:
  - {eval_time: 3m, alertname: Silence, outcome: zero}
  - {eval_time: 4m, alertname: Silence, exp_alerts: [{exp_labels: {}}]}
"""
    assert failures(tmp_path, test) == []


def test_the_interval_of_other_groups_is_the_files(tmp_path):
    test = f"""
- interval: 1m
{LOGS}
  alert_rule_test:
  - {{eval_time: 3m, alertname: CartErrors, state: pending}}
  - {{eval_time: 3m, alertname: CartErrors, outcome: empty}}
"""
    assert failures(tmp_path, test, head="evaluation_interval: 5m") == []


def test_late_lines_correct_what_was_evaluated(tmp_path):
    test = """
- interval: 1m
  input_logs: [{stream: '{app="cart", host="a1"}', lines: [{at: 1s, every: 10s, count: 12, text: error, delay: 5m}]}]
  alert_rule_test:
  - {eval_time: 4m, alertname: CartErrors, outcome: empty}
  - {eval_time: 8m, alertname: CartErrors, state: recovered, exp_alerts: [{exp_labels: {host: a1, severity: page}}]}
  notice_test:
  - eval_time: 8m
    alertname: CartErrors
    exp_notices:
    - {kind: firing, at: 2m, exp_labels: {host: a1, severity: page}}
    - {kind: resolved, at: 3m, exp_labels: {host: a1, severity: page}}
"""
    assert failures(tmp_path, test) == []


@pytest.mark.parametrize(
    ("fault", "outcome", "state"),
    [
        ("{at: 3m, query: error}", "error", "firing"),
        ("{at: 3m, query: timeout, for: 30s}", "error", "firing"),
        ("{at: 3m, source: late}", "value", "firing"),
        ("{at: 3m, server: down}", "value", "firing"),
        ("{at: 3m, server: restart}", "value", "firing"),
    ],
)
def test_faults_lose_nothing(tmp_path, fault, outcome, state):
    test = f"""
- interval: 1m
{LOGS}
  faults: [{fault}]
  alert_rule_test:
  - eval_time: 3m
    alertname: CartErrors
    state: {state}
    outcome: {outcome}
    exp_alerts: [{{exp_labels: {{host: a1, severity: page}}}}]
  notice_test:
  - eval_time: 10m
    alertname: CartErrors
    exp_notices:
    - {{kind: firing, at: 2m, exp_labels: {{host: a1, severity: page}}}}
    - {{kind: resolved, at: 4m, exp_labels: {{host: a1, severity: page}}}}
"""
    assert failures(tmp_path, test) == []


def test_a_late_source_is_late_after_the_longest_wait(tmp_path):
    rules = RULES.replace("for: 1m", "max_wait: 1m")
    test = f"""
- interval: 1m
{LOGS}
  faults: [{{at: 1m, source: late, for: 5m}}]
  alert_rule_test:
  - {{eval_time: 2m, alertname: CartErrors, outcome: value, exp_alerts: [{{exp_labels: {{host: a1, severity: page}}}}]}}
  - {{eval_time: 5m, alertname: CartErrors, outcome: late, exp_alerts: [{{exp_labels: {{host: a1, severity: page}}}}]}}
  - {{eval_time: 8m, alertname: CartErrors, outcome: zero}}
"""
    assert failures(tmp_path, test, rules=rules) == []


def test_lines_have_fields_and_levels(tmp_path):
    test = """
- input_logs:
  - {stream: '{app="x"}', lines: [{text: 'WARN slow', fields: {status: 503, took: 1.5, ok: false, who: me}, count: 3, every: 1s}]}
  logql_expr_test:
  - {expr: 'sum by (detected_level) (count_over_time({app="x"} | status >= 500 [1m]))', eval_time: 30s, exp_samples: [{labels: '{detected_level="warn"}', value: 3}]}
  - {expr: 'sum(sum_over_time({app="x"} | unwrap took [1m]))', eval_time: 30s, exp_samples: [{labels: '{}', value: 4.5}]}
"""
    assert failures(tmp_path, test) == []


def test_a_start_is_where_time_begins(tmp_path):
    test = f"""
- start_timestamp: 2026-01-31T12:00:00Z
{LOGS}
  promql_expr_test:
  - {{expr: 'ALERTS_FOR_STATE', eval_time: 2m, exp_samples: [{{labels: 'ALERTS_FOR_STATE{{alertname="CartErrors", host="a1", severity="page"}}', value: 1769860860}}]}}
"""
    assert failures(tmp_path, test) == []


def test_series_are_there_by_name(tmp_path):
    test = """
- interval: 1m
  input_series: [{series: 'up{job="a"}', values: '1+1x2 stale _x9'}]
  promql_expr_test:
  - {expr: 'up{job="a"}', eval_time: 2m, exp_samples: [{labels: 'up{job="a"}', value: 3}]}
  - {expr: 'up{job="b"}', eval_time: 2m}
  - {expr: up, eval_time: 10m}
"""
    assert failures(tmp_path, test) == []


def test_numbers_may_differ_by_little_if_asked_for(tmp_path):
    test = f"""
- interval: 1m
{LOGS}
  logql_expr_test:
  - {{expr: 'sum(rate({{app="cart"}}[3m]))', eval_time: 3m, exp_samples: [{{labels: '{{}}', value: 0.10555551}}]}}
"""
    assert failures(tmp_path, test, head="fuzzy_compare: true") == []
    assert len(failures(tmp_path, test)) == 1


def test_days_are_played_at_once(tmp_path):
    test = f"""
- interval: 1m
{LOGS}
  alert_rule_test: [{{eval_time: 2d, alertname: Silence, exp_alerts: [{{exp_labels: {{}}}}]}}]
"""
    (result,) = results(tmp_path, test)
    assert result.failures == []


def test_only_wanted_tests_run_and_each_has_a_world_of_its_own(tmp_path):
    test = f"""
- name: with lines
{LOGS}
  alert_rule_test: [{{eval_time: 2m, alertname: CartErrors}}]
- name: without
  alert_rule_test: [{{eval_time: 2m, alertname: CartErrors}}]
- alert_rule_test: [{{eval_time: 2m, alertname: CartErrors}}]
"""
    found = results(tmp_path, test)
    assert [(one.name, len(one.failures)) for one in found] == [("with lines", 1), ("without", 0), ("test 3", 0)]
    assert [one.name for one in results(tmp_path, test, wanted=lambda name: "with" in name)] == [
        "with lines",
        "without",
    ]


def test_the_report_marks_what_differs(tmp_path):
    test = f"""
- name: host
{LOGS}
  alert_rule_test: [{{eval_time: 2m, alertname: CartErrors, exp_alerts: [{{exp_labels: {{host: b}}}}]}}]
"""
    assert list(report.lines(results(tmp_path, test))) == [
        "  FAILED:",
        "    name: host,",
        "    alertname: CartErrors, time: 2m",
        "        exp:",
        '          - {alertname="CartErrors", host="b"}',
        "        got:",
        f"          + {A1}",
    ]
    assert list(report.lines([])) == ["  SUCCESS: 0 tests, 0 checks"]


def test_junit_has_failures_and_files_that_cannot_be_read(tmp_path):
    test = '- name: "a \\0 b"\n  alert_rule_test: [{eval_time: 2m, alertname: CartErrors, outcome: zero}]\n- {}'
    read = ET.fromstring(report.junit({"a.yaml": results(tmp_path, test), "b.yaml": "no such file"}))
    suites = [(one.get("name"), one.get("tests"), one.get("failures"), one.get("errors")) for one in read]
    assert suites == [("a.yaml", "2", "1", "0"), ("b.yaml", "1", "0", "1")]
    first = read[0][0]
    assert first.get("name") == "a \N{REPLACEMENT CHARACTER} b"
    assert "exp:\n          - zero\n        got:\n          + empty" in (first[0].text or "")
    assert (read[1][0][0].text, len(read[0][1])) == ("no such file", 0)


def test_a_rule_may_name_what_another_one_recorded_and_what_the_test_gives(tmp_path):
    rules = """
groups:
- name: g
  rules:
  - {record: "x:lines", expr: 'sum by (host) (count_over_time({app="x"}[1m]))'}
  - {alert: Many, expr: 'x:lines > 2', for: 1m}
  - {alert: Down, expr: 'up == 0'}
"""
    test = """
- interval: 1m
  input_series: [{series: 'up{job="a"}', values: '1 1 0 1 0 stale'}]
  input_logs: [{stream: '{app="x", host="a"}', lines: [{at: 1s, every: 10s, count: 12, text: hello}]}]
  alert_rule_test:
  - {eval_time: 1m, alertname: Many, state: pending, exp_alerts: [{exp_labels: {host: a}}]}
  - {eval_time: 2m, alertname: Many, exp_alerts: [{exp_labels: {host: a}}]}
  - {eval_time: 3m, alertname: Many}
  - {eval_time: 2m, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}
  - {eval_time: 3m, alertname: Down}
"""
    assert failures(tmp_path, test, rules=rules) == []


def test_keys_without_a_value_and_numbers_as_texts_are_taken_as_promtool_takes_them(tmp_path):
    test = """
- interval: 1m
  input_logs:
  external_labels: {cluster: 7}
  input_series: [{series: x, values: 5}]
  alert_rule_test:
  - {eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {level: 3}, exp_annotations: {summary: 5}}]}
  promql_expr_test:
  - {expr: x, eval_time: 0, exp_samples: [{labels: x, value: 5}]}
  - {expr: x, eval_time: 1h, exp_samples: }
"""
    rules = "groups: [{name: g, rules: [{alert: A, expr: x > 1, labels: {level: 3}, annotations: {summary: '{{ $value }}'}}]}]"
    assert failures(tmp_path, test, rules=rules) == []
