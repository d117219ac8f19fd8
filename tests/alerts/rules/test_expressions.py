"""What is known of an expression before it is asked."""

from __future__ import annotations

import math

import pytest

from tailrace.alerts.evaluate.windows import Reach
from tailrace.alerts.rules.expressions import expression
from tailrace.query.parser import parse

S = 10**9
COUNT = 'sum by (host) (count_over_time({app="x"} |= "e" [5m]))'


@pytest.mark.parametrize(
    ("text", "asked", "op", "threshold"),
    [
        (f"{COUNT} > 5", 'sum by (host) (count_over_time({app="x"} |= "e" [5m]))', ">", 5),
        (f"5 < {COUNT}", 'sum by (host) (count_over_time({app="x"} |= "e" [5m]))', ">", 5),
        (f"1 >= {COUNT}", 'sum by (host) (count_over_time({app="x"} |= "e" [5m]))', "<=", 1),
        (f"{COUNT} == 0", 'sum by (host) (count_over_time({app="x"} |= "e" [5m]))', "==", 0),
        (COUNT, 'sum by (host) (count_over_time({app="x"} |= "e" [5m]))', "", 0),
        ("vector(1) > bool 0", "vector(1) > bool 0", "", 0),
        ("vector(1) > vector(0)", "vector(1) > vector(0)", "", 0),
    ],
)
def test_a_threshold_is_not_part_of_what_is_asked(text, asked, op, threshold):
    found = expression(text)
    assert (found.asked, found.op, found.threshold) == (asked, op, threshold)


def test_a_value_is_held_against_the_threshold():
    assert [expression(f"5 < {COUNT}").holds(value) for value in (4, 5, 6, float("nan"))] == [False, False, True, False]
    assert expression(COUNT).holds(0)


def test_the_reach_is_that_of_all_ranges():
    text = 'rate({a="b"}[5m] offset 1h) / rate({a="c"}[10m]) > 2'
    assert expression(text).reach == Reach(0, 3900 * S)
    assert expression('rate({a="b"}[5m] offset 1h) > 2').reach == Reach(3600 * S, 3900 * S)
    assert expression("vector(1) > 0").reach == Reach(0, 0)


def test_the_selectors_are_named_once():
    text = 'rate({a="b"}[5m]) / rate({a="b"}[1m]) + rate({a="c"}[1m])'
    assert [str(selector) for selector in expression(text).selectors] == ['{a="b"}', '{a="c"}']


RATE = 'rate({app="x"}[5m])'


@pytest.mark.parametrize(
    ("text", "op", "threshold"),
    [
        (f"{COUNT} > 60 * 60", ">", 3600),
        (f"-1 + 3 < {COUNT}", ">", 2),
        (f"2 * {COUNT} + 1 >= 5", ">=", 5),
        (f"({COUNT} > bool 3) == 1", "==", 1),
        (f"max({RATE}) - min({RATE}) != 0", "!=", 0),
        (f"{RATE} or vector(0) > 1", "", 0),  # `or` binds less tightly
        (f"({RATE} or vector(0)) > 1", ">", 1),
        ("cart:errors:rate5m > 1", ">", 1),
        (f"{COUNT} > bool 5", "", 0),
        (f"{COUNT} > 1 < 5", "", 0),
        (f"({COUNT} > 1) * 2 > 5", "", 0),
        (f"count({COUNT} > 1) > 5", "", 0),
        (f"{COUNT} > 1 and {COUNT} < 5", "", 0),
        (f"({COUNT} and {RATE}) > 5", "", 0),
        (f"({COUNT} unless {RATE}) > 5", "", 0),
        (f"topk(3, {COUNT}) > 5", "", 0),
        (f"sum(topk(3, {COUNT})) > 5", "", 0),
        (f"{RATE} > {RATE}", "", 0),
        (f"{RATE} > on (host) group_left () {RATE}", "", 0),
        ('absent_over_time({app="x"}[5m]) == 1', "", 0),
        ("2 > 1", "", 0),
    ],
)
def test_a_condition_is_split_off_where_what_is_left_leaves_nothing_out(text, op, threshold):
    found = expression(text)
    assert (found.op, found.threshold) == (op, threshold)
    if not op:
        assert found.asked == str(parse(text, names=True))


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        (f"{COUNT} > 1", 0),
        (f"60 * {COUNT} + 3 > 1", 3),
        (f"1 - {RATE} > 1", 1),
        (f"({RATE} < bool 5) == 1", 1),  # silence is less than five
        (f"({RATE} > bool 5) == 1", 0),
        (f"sum({RATE} + 1) > 1", None),  # of how many series?
        (f"max({RATE} + 1) > 1", 1),
        (f"{RATE} + {RATE} > 1", 0),
        (f"{RATE} - on (host) {RATE} > 1", None),
        (f"{RATE} / {RATE} > 1", None),  # nothing of nothing
        (f"{RATE} * {RATE} > 1", None),
        (f"({RATE} or {RATE}) > 1", 0),
        (f"({RATE} or vector(1)) > 1", None),
        (f'label_replace({RATE}, "a", "b", "c", "d") > 1', 0),
        ("a:b > 1", None),
    ],
)
def test_silence_has_the_value_that_zero_would_give(text, silent):
    assert expression(text).silent == silent


def test_what_rules_recorded_is_silent_as_they_are():
    assert expression("2 * a:b + 1 > 3").knowing({"a:b": 0.0}) == 1
    assert expression("2 * a:b + 1 > 3").knowing({"a:b": None}) is None


def test_nothing_can_be_divided_by_silence():
    silent = expression(f"1 / {RATE} > 5").silent
    assert silent is not None
    assert math.isnan(silent)
    assert not expression(f"1 / {RATE} > 5").holds(silent)


def test_a_silent_side_is_zero_where_the_other_one_speaks():
    some, every = 'sum(rate({app="x"} |= "e" [5m]))', 'sum(rate({app="x"} [5m]))'
    assert expression(f"{some} / {every} > 0.1").asked == f"({some} or {every} * 0) / {every}"
    assert expression(f"{some} - {every} > 1").asked == f"({some} or {every} * 0) - ({every} or {some} * 0)"
    assert expression(f"100 * {some} / {every} > 1").asked == f"(100 * {some} or {every} * 0) / {every}"
    assert expression(f"{some} / {every}").asked == f"{some} / {every}"  # a value is asked as it is
    on = f"{some} / on (host) {every}"
    assert expression(f"{on} > 1").asked == on


@pytest.mark.parametrize(
    ("text", "counting"),
    [
        (COUNT, True),
        ('max(rate({a="b"}[5m])) > 1', True),
        ('count(rate({a="b"}[5m])) > 1', False),
        ('max_over_time({a="b"} | unwrap v [5m]) > 1', False),
        ('rate({a="b"} | unwrap v [5m]) > 1', True),
        ('absent_over_time({a="b"}[5m])', False),
        ("vector(1)", False),
    ],
)
def test_functions_that_count_are_zero_without_lines(text, counting):
    assert expression(text).counting is counting
