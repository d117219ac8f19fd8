"""Files of rule tests, and all of their mistakes at once."""

from __future__ import annotations

import pytest

from tailrace.alerts.unit_tests.files import load
from tailrace.errors import ConfigError

RULES = """groups: [{name: %s, rules: [{alert: A, expr: 'rate({app="x"}[1m]) > 1'}]}]"""


def mistakes(tmp_path, text: str) -> list[str]:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem) for problem in caught.value.problems]


def test_all_mistakes_are_told_at_once_with_their_places(tmp_path):
    text = """\
rule_file: [x.yaml]
tests:
- interval: 5
  input_logs:
  - stream: '{app=~"x"}'
    lines: [{text: a, count: 2}, {text: b, at: soon}]
  faults: [{at: 1m}, {at: 1m, server: restart, for: 1m}, {at: 1m, query: slow}]
  alert_rule_test: [{eval_time: 1m, alertname: A, state: burning}]
  logql_expr_test: [{eval_time: 1m, expr: 'sum(rate({app="x"}))'}]
  input_series: [{series: up, values: 1 two}]
  start_timestamp: yesterday
"""
    found = mistakes(tmp_path, text)
    places = [line.split(": ")[1] for line in found]
    assert places == [
        "$.rule_file",
        "$.tests[0].interval",
        "$.tests[0].input_logs[0].stream",
        "$.tests[0].input_logs[0].lines[0].every",
        "$.tests[0].input_logs[0].lines[1].at",
        "$.tests[0].faults[0]",
        "$.tests[0].faults[1].for",
        "$.tests[0].faults[2].query",
        "$.tests[0].alert_rule_test[0].state",
        "$.tests[0].logql_expr_test[0].expr",
        "$.tests[0].input_series[0].values",
        "$.tests[0].start_timestamp",
    ]
    assert found[0].startswith("1:1: $.rule_file: ")
    assert "did you mean 'rule_files'?" in found[0]
    assert "5 has no unit (write 5s for seconds)" in found[1]
    assert "'two' is no number" in found[10]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- a", "expected a mapping of keys to values"),
        ("tests: [a", "a list opened by '[' is not closed"),
        ("rule_files: [none.yaml]", "1:14: $.rule_files[0]: there is no file none.yaml"),
        ("rule_files: [none-*.yaml]", "there is no file none-*.yaml"),
        ("group_eval_order: [a]", "1:20: $.group_eval_order[0]: there is no group 'a' (the rule files have none)"),
    ],
)
def test_one_mistake(tmp_path, text, what):
    (found,) = mistakes(tmp_path, text)
    assert what in found


def test_rule_files_are_found_beside_the_file_each_once_and_ordered(tmp_path):
    (tmp_path / "rules").mkdir()
    for name in ("b", "a", "c"):
        (tmp_path / "rules" / f"{name}.yaml").write_text(RULES % name)
    path = tmp_path / "t.yaml"
    path.write_text("rule_files: [rules/b.yaml, 'rules/*.yaml']\ngroup_eval_order: [c]")
    assert [group.name for group in load(path).groups] == ["c", "b", "a"]
    path.write_text(f"rule_files: ['{tmp_path}/rules/a.yaml', '{tmp_path}/rules/[ac].yaml']\nevaluation_interval: 5m")
    suite = load(path)
    assert [(group.name, group.interval_ns) for group in suite.groups] == [("a", 300 * 10**9), ("c", 300 * 10**9)]


def test_a_wrong_rule_file_is_named(tmp_path):
    (tmp_path / "rules.yaml").write_text("groups: [{name: g, rules: [{alert: A}]}]")
    path = tmp_path / "t.yaml"
    path.write_text("rule_files: [rules.yaml]")
    with pytest.raises(ConfigError, match=r"rules\.yaml:1:\d+: \$\.groups\[0\]\.rules\[0\]"):
        load(path)
