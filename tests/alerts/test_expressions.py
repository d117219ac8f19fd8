"""What is known of an expression before it is asked."""

from __future__ import annotations

import pytest

from tailrace.alerts.expressions import expression
from tailrace.alerts.windows import Reach

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
