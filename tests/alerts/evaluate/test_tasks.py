"""Which rules read what other rules record, and what that means for them."""

from __future__ import annotations

from alerts.place import COUNT, MINUTE, alert, group, record
from tailrace.alerts.evaluate.tasks import levels, tasks
from tailrace.alerts.evaluate.windows import Reach

LATE = 'sum(rate({app="y"}[5m] offset 1m))'


def found(*rules):
    return {task.rule.name: task for (task, *_) in ([one] for group_ in tasks([group(*rules)]) for one in group_)}


def test_a_rule_over_recorded_series_reads_their_lines():
    many = found(record("x:lines", COUNT), alert("Many", "x:lines > 1"))["Many"]
    assert [str(one) for one in many.asked.selectors] == ['{app="x"}']
    assert many.asked.reach == Reach(0, 6 * MINUTE)  # a minute, and five in which a sample counts
    assert (many.depth, many.asked.silent) == (1, 0)


def test_by_way_of_several_rules_and_of_several_names():
    rules = (record("a:x", COUNT), record("a:y", LATE), record("a:z", "a:x + on () group_left () a:y offset 1h"))
    task = found(*rules, alert("Many", "a:z > 1"))["Many"]
    assert task.depth == 2
    assert task.asked.reach.far_ns == (5 + 60 + 5 + 6) * MINUTE
    assert [str(one) for one in task.asked.selectors] == ['{app="x"}', '{app="y"}']


def test_a_rule_that_names_itself_reads_the_past():
    task = found(record("a:x", f"{COUNT} + a:x offset 1m"))["a:x"]
    assert task.depth == 0
    assert [str(one) for one in task.asked.selectors] == ['{app="x"}']


def test_rules_in_a_circle_end():
    circle = found(record("a:x", "a:y + 1"), record("a:y", "a:x + 1"))
    assert {name: task.depth for name, task in circle.items()} == {"a:x": 1, "a:y": 1}


def test_a_name_that_nobody_records_is_no_number_when_it_is_silent():
    task = found(alert("Many", "a:x > 1"))["Many"]
    assert (task.depth, task.asked.silent) == (0, None)


def test_those_that_others_read_come_first():
    rules = (alert("C", "a:y > 1"), record("a:y", "2 * a:x"), alert("A", f"{COUNT} > 1"), record("a:x", COUNT))
    every = [task for some in tasks([group(*rules)]) for task in some]
    assert [[one.rule.name for one in level] for level in levels(every, lambda task: task)] == [
        ["A", "a:x"],
        ["a:y"],
        ["C"],
    ]
    assert levels([], lambda task: task) == [[]]
