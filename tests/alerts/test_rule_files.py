"""Rule files: what is taken, and what is wrong with others, where, and what to do."""

from __future__ import annotations

import pytest

from tailrace.alerts.rule_files import load_rules, parse_rules
from tailrace.errors import ConfigError

S = 10**9
CART = """
groups:
- name: cart
  interval: 1m
  labels: {team: shop, severity: info}
  rules:
  - alert: CartErrors
    expr: sum by (host) (rate({app="cart"} |= "error" [5m])) > 1
    for: 10m
    keep_firing_for: 1h30m
    labels: {severity: page}
    annotations: {summary: "{{ $labels.host }}: {{ $value }}"}
  - {record: "cart:errors:rate5m", expr: 'sum(rate({app="cart"} |= "error" [5m]))', labels: {src: logs}}
"""


def test_a_file_of_prometheus_is_taken_as_it_is():
    (group,) = parse_rules(CART, "rules.yaml")
    assert (group.namespace, group.name, group.interval_ns, group.limit) == ("rules.yaml", "cart", 60 * S, 0)
    alert, record = group.rules
    assert (alert.name, alert.for_ns, alert.keep_firing_for_ns) == ("CartErrors", 600 * S, 5400 * S)
    assert alert.labels == {"team": "shop", "severity": "page"}
    assert alert.annotations == {"summary": "{{ $labels.host }}: {{ $value }}"}
    assert (record.record, record.labels) == ("cart:errors:rate5m", {"team": "shop", "severity": "info", "src": "logs"})


def test_ids_outlive_everything_but_the_name():
    (before,), (after,) = parse_rules(CART, "r"), parse_rules(CART.replace("> 1", "> 2").replace("10m", "5m"), "r")
    assert [rule.id for rule in before.rules] == [rule.id for rule in after.rules]
    (renamed,) = parse_rules(CART.replace("CartErrors", "Errors"), "r")
    assert renamed.rules[0].id != before.rules[0].id
    assert parse_rules(CART, "other")[0].rules[0].id != before.rules[0].id


def test_two_rules_of_one_name_are_two():
    text = "groups: [{name: g, rules: [{alert: A, expr: vector(1)}, {alert: A, expr: vector(2)}]}]"
    first, second = parse_rules(text, "r")[0].rules
    assert first.id != second.id


def test_an_empty_file_has_no_groups():
    assert parse_rules("", "r") == ()
    assert parse_rules("groups: []", "r") == ()


MISTAKES = [
    ("groups: [{name: g, rules: [{expr: vector(1)}]}]", "$.groups[0].rules[0]", "neither `alert` nor `record`"),
    ("groups: [{name: g, rules: [{alert: A, record: b, expr: vector(1)}]}]", "$.groups[0].rules[0]", "both `alert`"),
    ("groups: [{name: g, rules: [{alert: A}]}]", "$.groups[0].rules[0].expr", "required"),
    (
        "groups: [{name: g, rules: [{alert: A, expr: 'sum(rate('}]}]",
        "$.groups[0].rules[0].expr",
        "parse error at line 1",
    ),
    ("groups: [{name: g, rules: [{alert: A, expr: '{app=\"x\"}'}]}]", "$.groups[0].rules[0].expr", "needs numbers"),
    ("groups: [{name: g, rules: [{alert: A, expr: vector(1), for: 1.5m}]}]", "$.groups[0].rules[0].for", "no duration"),
    ("groups: [{name: g, rules: [{alert: A, expr: vector(1), for: 90}]}]", "$.groups[0].rules[0].for", "has no unit"),
    ("groups: [{name: g, rules: [{alert: A, expr: vector(1), fro: 1m}]}]", "$.groups[0].rules[0].fro", "did you mean"),
    ("groups: [{name: g, rules: [{record: r, expr: vector(1), for: 1m}]}]", "$.groups[0].rules[0].for", "no `for`"),
    ("groups: [{name: g, rules: [{record: r-s, expr: vector(1)}]}]", "$.groups[0].rules[0].record", "name of a metric"),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {alertname: x}}]}]",
        "$.groups[0].rules[0].labels.alertname",
        "the rule's own",
    ),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {a-b: x}}]}]",
        "$.groups[0].rules[0].labels.a-b",
        "no name of a label",
    ),
    ("groups: [{name: g}, {name: g}]", "$.groups[1].name", "there is a group 'g' above"),
    ("groups: [{name: ''}]", "$.groups[0].name", "must not be empty"),
    ("groups: [{name: g, interval: 10ms}]", "$.groups[0].interval", "at least a second"),
    ("groups: [{name: g, limit: -1}]", "$.groups[0].limit", "at least 0"),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), no_data: maybe}]}]",
        "$.groups[0].rules[0].no_data",
        "zero",
    ),
    ("group: []", "$.group", "unknown key"),
    ("[1, 2]", "$", "expected a mapping"),
]


@pytest.mark.parametrize(("text", "where", "what"), MISTAKES, ids=[f"{where} {what}" for _, where, what in MISTAKES])
def test_a_mistake_is_named_at_its_place(text, where, what):
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "r")
    assert any(problem.where == where and what in str(problem) for problem in caught.value.problems), caught.value


def test_all_mistakes_come_at_once_with_lines(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(CART.replace("10m", "soon").replace("> 1", ">").replace("record:", "recrod:"))
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    lines = [(problem.where, problem.line) for problem in caught.value.problems]
    assert lines == [
        ("$.groups[0].rules[0].expr", 8),
        ("$.groups[0].rules[0].for", 9),
        ("$.groups[0].rules[1].recrod", 13),
    ]
