"""Windows: every one exactly once, and those again that a late line belongs to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailrace.alerts.evaluate.windows import Reach, due, untrue

TIMES = st.integers(0, 3000)


def test_a_window_is_due_when_its_lines_are_complete():
    assert list(due(0, 59, 60, 9999, 100).times) == []
    assert list(due(0, 60, 60, 9999, 100).times) == [60]
    assert list(due(60, 60, 60, 9999, 100).times) == []
    assert list(due(60, 300, 60, 9999, 2).times) == [120, 180]


def test_a_rule_that_is_new_begins_at_the_next_window():
    assert list(due(100, 190, 60, 9999, 100).times) == [120, 180]


@given(TIMES, TIMES, st.integers(1, 97), st.integers(1, 2000), st.integers(1, 50))
def test_every_window_is_evaluated_or_skipped_once(evaluated, complete, interval, catch_up, most):
    found = due(evaluated, complete, interval, catch_up, most)
    first, last = found.skipped or (0, -1)
    skipped = list(range(first, last + 1, interval))
    expected = [t for t in range(interval, complete + 1, interval) if t > evaluated]
    assert skipped == [t for t in expected if t < complete - catch_up]
    assert list(found.times) == expected[len(skipped) :][:most]


@given(TIMES, st.integers(0, 300), st.integers(0, 200), st.integers(1, 300), TIMES, st.integers(1, 97), TIMES)
def test_the_windows_of_a_late_line_are_those_that_hold_it(lo, length, near, span, evaluated, interval, horizon):
    """By looking at every window and every time, as the definition says."""
    late = (lo, lo + length)
    reach = Reach(near, near + span)
    expected = [
        t
        for t in range(0, evaluated + 1, interval)
        if t >= evaluated - horizon and any(t - near - span < line <= t - near for line in range(lo, lo + length + 1))
    ]
    assert list(untrue(late, reach, evaluated, interval, horizon)) == expected
