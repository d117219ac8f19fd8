"""Other settings of a rule, and what two versions did differently."""

from __future__ import annotations

import pytest

from tailrace.alerts.backtest.replay import Incident
from tailrace.alerts.backtest.variants import difference, sweeps_of, variants
from tailrace.alerts.model import Rule
from tailrace.errors import QueryError

MINUTE = 60 * 10**9
RULE = Rule("r", 'sum(count_over_time({app="x"}[1m])) > 3', "A", for_ns=MINUTE)


def said(rule: Rule) -> tuple[str, int, int]:
    return rule.expr.rpartition(" ")[2], rule.for_ns // MINUTE, rule.keep_firing_for_ns // MINUTE


def test_every_combination_of_settings_is_tried():
    sweeps = sweeps_of(["for=0s,5m", "threshold=1,2.5"])
    found = [(name, said(rule)) for name, rule in variants(RULE, sweeps)]
    assert found == [
        ("threshold=1 for=0s", ("1", 0, 0)),
        ("threshold=1 for=5m", ("1", 5, 0)),
        ("threshold=2.5 for=0s", ("2.5", 0, 0)),
        ("threshold=2.5 for=5m", ("2.5", 5, 0)),
    ]


def test_a_negative_threshold_and_a_longer_keep():
    found = variants(RULE, sweeps_of(["threshold=-1", "keep_firing_for=10m"]))
    assert [said(rule) for _, rule in found] == [("-1", 1, 10)]


def test_the_comparison_stays():
    turned = Rule("r", '3 < sum(count_over_time({app="x"}[1m]))', "A")
    ((_, rule),) = variants(turned, sweeps_of(["threshold=7"]))
    assert rule.expr.endswith(" > 7")


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (["treshold=1"], "'treshold=1' is no sweep"),
        (["threshold="], "'threshold=' is no sweep"),
        (["threshold"], "'threshold' is no sweep"),
        (["threshold=1,x"], "'x' is no number"),
        (["for=5"], "'5' is no duration"),
        (["for=1m", "for=2m"], "for is swept twice"),
    ],
)
def test_what_is_no_sweep_is_refused(sweep, message):
    with pytest.raises(QueryError, match=message):
        sweeps_of(sweep)


def test_too_many_combinations_are_refused():
    sweeps = sweeps_of(["threshold=" + ",".join(map(str, range(11))), "for=" + ",".join(f"{n}m" for n in range(10))])
    with pytest.raises(QueryError, match="110 combinations"):
        variants(RULE, sweeps)


def test_a_rule_without_a_number_has_no_threshold():
    rule = Rule("r", 'sum(count_over_time({app="x"}[1m]))', "A")
    with pytest.raises(QueryError, match="no threshold"):
        variants(rule, sweeps_of(["threshold=1"]))


def incident(key: str, start: int, end: int | None) -> Incident:
    return Incident(key, start, start, end, 1.0)


def test_incidents_at_the_same_time_are_in_both_versions():
    before = [incident("a", 10, 20), incident("a", 50, 60), incident("b", 10, 20), incident("c", 90, None)]
    after = [incident("a", 15, 30), incident("b", 30, 40), incident("c", 95, None)]
    found = difference(before, after)
    assert found.both == ((before[0], after[0]), (before[3], after[2]))
    assert found.only_before == (before[1], before[2])
    assert found.only_after == (after[1],)
