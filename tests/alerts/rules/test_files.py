"""Rule files: what is taken, and what is wrong with others, where, and what to do."""

from __future__ import annotations

import pytest

from tailrace.alerts.rules.files import load_rules, parse_group, parse_rules
from tailrace.errors import ConfigError
from tailrace.limits import CONFIG_BYTES, RULES_BYTES

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


def rules_of(*rules):
    (group,) = parse_rules(f"groups: [{{name: g, rules: [{', '.join(rules)}]}}]", "r")
    return group.rules


def test_rules_keep_their_ids_in_another_order_if_name_or_labels_tell_them_apart():
    warn = "{alert: A, expr: vector(1), labels: {severity: warn}}"
    page = "{alert: A, expr: vector(2), labels: {severity: page}}"
    other = "{alert: B, expr: vector(3)}"
    first, second, third = (rule.id for rule in rules_of(warn, page, other))
    assert [rule.id for rule in rules_of(other, page, warn)] == [third, second, first]
    assert [rule.id for rule in rules_of(page)] == [second]


def test_rules_of_equal_name_and_labels_keep_their_ids_by_their_order():
    one, two = "{alert: A, expr: vector(1)}", "{alert: A, expr: vector(2)}"
    first, second = (rule.id for rule in rules_of(one, two))
    assert [rule.id for rule in rules_of(two, one)] == [first, second]
    assert [rule.id for rule in rules_of(one, "{record: A, expr: vector(3)}", two)][::2] == [first, second]


def test_labels_of_a_group_are_a_part_of_what_tells_rules_apart():
    text = "groups: [{name: g, labels: {team: a}, rules: [{alert: A, expr: vector(1)}]}]"
    (one,), (two,) = parse_rules(text, "r"), parse_rules(text.replace("team: a", "team: b"), "r")
    assert one.rules[0].labels == {"team": "a"}
    assert one.rules[0].id != two.rules[0].id


def test_keys_without_values_are_not_there_and_numbers_are_labels():
    text = """
groups:
- name: g
  limit:
  labels:
  rules:
  - {alert: A, expr: vector(1), for: , labels: {code: 500, beta: true}, annotations: }
"""
    (group,) = parse_rules(text, "r")
    (rule,) = group.rules
    assert (group.limit, rule.for_ns, rule.labels, rule.annotations) == (0, 0, {"code": "500", "beta": "true"}, {})
    assert parse_rules("groups:", "r") == ()
    assert parse_rules("groups: [{name: g, rules: }]", "r")[0].rules == ()


def test_a_group_has_its_interval_or_that_of_who_asks():
    text = "groups: [{name: a, rules: []}, {name: b, interval: 5m, rules: []}]"
    assert [group.interval_ns for group in parse_rules(text, "r", interval_ns=30 * S)] == [30 * S, 300 * S]


def test_one_group_is_read_as_it_was_written():
    text = "name: g\ninterval: 1m\nrules:\n- {alert: A, expr: vector(1), for: 5m}\n"
    assert parse_group(text) == {
        "name": "g",
        "interval": "1m",
        "rules": [{"alert": "A", "expr": "vector(1)", "for": "5m"}],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["$.name: this key is required"]),
        ("name: g", ["$.rules: a group needs a rule (write rules: and below it - alert: …)"]),
        ("[", ["1:2: $: not valid YAML: expected the node content, but found '<stream end>'"]),
        (
            "name: ''\nrules: [{alert: A, expr: vector(1), for: x}]",
            ["1:7: $.name: this must not be empty", "2:42: $.rules[0].for: 'x' is no duration"],
        ),
    ],
)
def test_all_that_is_wrong_with_one_group(text, said):
    with pytest.raises(ConfigError) as caught:
        parse_group(text)
    found = [str(problem) for problem in caught.value.problems]
    assert len(found) == len(said)
    assert all(each.startswith(start) for each, start in zip(found, said, strict=True)), found


def test_a_file_may_be_longer_than_a_configuration_but_not_without_end(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("#" * (CONFIG_BYTES + 1) + "\n" + CART)
    assert [group.name for group in load_rules(path)] == ["cart"]
    path.write_text("#" * (RULES_BYTES + 1))
    with pytest.raises(ConfigError, match="longer than"):
        load_rules(path)


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
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {__name__: x}}]}]",
        "$.groups[0].rules[0].labels.__name__",
        "no name of a label",
    ),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {a-b: x}}]}]",
        "$.groups[0].rules[0].labels.a-b",
        "no name of a label",
    ),
    ("groups: [{name: g}, {name: g}]", "$.groups[1].name", "there is a group 'g' above"),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {x: '{{ $valu }}'}}]}]",
        "$.groups[0].rules[0].labels.x",
        "line 1, col 4: undefined variable $valu (did you mean '$value'?)",
    ),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), annotations: {s: '{{ humanise 1 }}'}}]}]",
        "$.groups[0].rules[0].annotations.s",
        "did you mean 'humanize'?",
    ),
    ("groups: [{name: g, labels: {a-b: x}}]", "$.groups[0].labels.a-b", "no name of a label"),
    ("groups: [{name: g, labels: {x: '{{'}}]", "$.groups[0].labels.x", "this action does not end"),
    (
        "groups: [{name: g, rules: [{alert: A, expr: vector(1), labels: {x: 1.50}}]}]",
        "$.groups[0].rules[0].labels.x",
        "quote it",
    ),
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
