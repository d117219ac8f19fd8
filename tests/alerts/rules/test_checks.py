"""What is said of rules that are read but are not as they were meant, by cases worked out by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tailrace.alerts.rules.checks import Seen, check_groups, check_rule
from tailrace.alerts.rules.files import parse_rules

BOOK = tomllib.loads((Path(__file__).parents[2] / "cases" / "alerts" / "checks.toml").read_text())
SEEN = Seen(tuple(BOOK["streams"]), tuple(BOOK["fields"]))


def group_of(rules: str, interval: str = "1m"):
    (group,) = parse_rules(f"groups: [{{name: g, interval: {interval}, rules: [{rules}]}}]", "r")
    return group


@pytest.mark.parametrize("case", BOOK["case"], ids=[case["name"] for case in BOOK["case"]])
def test_checks(case):
    group = group_of(case["rule"], case.get("interval", "1m"))
    assert [str(doubt) for doubt in check_rule(group.rules[0], group, SEEN)] == case["doubts"]


RULE = "{alert: A, expr: 'sum(rate({app=\"card\"}[5m])) > 1'}"


def test_without_streams_nothing_is_said_of_them():
    group = group_of(RULE)
    assert check_rule(group.rules[0], group) == []
    assert check_rule(group.rules[0], group, Seen(())) == []


def test_doubts_of_a_file_have_their_place_in_it():
    other = RULE.replace("A", "B").replace("5m", "1m")
    groups = [group_of(RULE), group_of(f"{RULE.replace('A', 'C')}, {other}", "5m")]
    assert [(doubt.trail, doubt.what.split(":")[0][:20]) for doubt in check_groups(groups, SEEN)] == [
        (("groups", 0, "rules", 0, "expr"), "no stream of the las"),
        (("groups", 1, "rules", 0, "expr"), "no stream of the las"),
        (("groups", 1, "rules", 1, "expr"), "it looks at 1m of ea"),
        (("groups", 1, "rules", 1, "expr"), "no stream of the las"),
    ]


def test_a_rule_that_is_there_twice():
    rule = RULE.replace("card", "cart")
    assert [str(doubt) for doubt in check_groups([group_of(f"{rule}, {rule}")])] == [
        "$.groups[0].rules[0].expr: 'A' is there more than once, with the same labels",
        "$.groups[0].rules[1].expr: 'A' is there more than once, with the same labels",
    ]
    other = rule.removesuffix("}") + ", labels: {severity: page}}"
    assert check_groups([group_of(f"{rule}, {other}")]) == []
