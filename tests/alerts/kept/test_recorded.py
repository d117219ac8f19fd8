"""What rules leave as series: values, ends, states of alerts, and the same again when late lines change a window."""

from __future__ import annotations

import pytest

from alerts.place import COUNT, MINUTE, START, Place, alert, group, record

LINES = record("x:lines:1m")


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.control.close()


def test_each_window_leaves_its_series_and_an_end_where_one_is_gone(place):
    place.lines(1, 3)
    place.lines(1, 1, "b")
    place.lines(2, 5)
    for minute in range(1, 5):
        place.tick(minute, group(LINES))
    assert place.found("x:lines:1m") == [
        '1 {host="a"} 3',
        '1 {host="b"} 1',
        '2 {host="a"} 5',
        '2 {host="b"} -',
        '3 {host="a"} -',
    ]


def test_a_series_that_comes_again_ends_again(place):
    for minute in (1, 3):
        place.lines(minute, minute)
    for minute in range(1, 5):
        place.tick(minute, group(LINES))
    assert place.found("x:lines:1m") == [f'{minute} {{host="a"}} {value}' for minute, value in enumerate("1-3-", 1)]


def test_labels_of_the_rule_win(place):
    place.lines(1, 2)
    place.tick(1, group(record("x:lines:1m", labels={"host": "all", "src": "logs"})))
    assert place.found("x:lines:1m") == ['1 {host="all", src="logs"} 2']


def test_two_series_with_equal_labels_are_an_error_of_the_rule(place):
    place.lines(1, 2)
    place.lines(1, 2, "b")
    place.tick(1, group(record("x:lines:1m", labels={"host": "all"})))
    assert place.found("x:lines:1m") == []
    (row,) = place.store.history("x:lines:1m")
    assert row["outcome"] == "error"
    assert row["error"].startswith('two series become one recorded series: {__name__="x:lines:1m", host="all"}')


def test_a_window_that_fails_leaves_nothing_and_ends_nothing(place):
    place.lines(1, 2)
    place.tick(1, group(LINES))
    failing = record("x:lines:1m", 'sum by (user) (count_over_time({app="x"} | json [5m]))')
    place.tick(2, group(failing))
    assert [row["outcome"] for row in place.store.history("x:lines:1m")] == ["error", "value"]
    assert place.found("x:lines:1m") == ['1 {host="a"} 2']
    place.tick(3, group(LINES))
    assert place.found("x:lines:1m") == ['1 {host="a"} 2', '2 {host="a"} -']  # known now


def test_samples_lie_where_their_lines_do(place):
    place.lines(1, 2)
    for minute in (1, 2, 3):
        place.tick(minute, group(LINES, query_offset_ns=60 * 10**9))
    assert place.found("x:lines:1m") == ['1 {host="a"} 2', '2 {host="a"} -']


def test_a_window_that_late_lines_change_is_recorded_anew(place):
    place.lines(1, 3)
    for minute in (1, 2, 3):
        place.tick(minute, group(LINES))
    late = place.lines(2, 4, "b")
    place.correct(3, late, group(LINES))
    assert place.found("x:lines:1m") == [
        '1 {host="a"} 3',
        '2 {host="a"} -',
        '2 {host="b"} 4',
        '3 {host="a"} -',
        '3 {host="b"} -',
    ]
    place.correct(3, place.lines(2, 1, "b"), group(LINES))
    assert '2 {host="b"} 5' in place.found("x:lines:1m")


def test_what_a_correction_takes_away_is_gone(place):
    quiet = record("x:quiet", f"{COUNT} < 3")
    place.lines(1, 2)
    place.lines(2, 2)
    for minute in (1, 2):
        place.tick(minute, group(quiet))
    assert place.found("x:quiet") == ['1 {host="a"} 2', '2 {host="a"} 2']
    place.correct(2, place.lines(1, 5), group(quiet))
    assert place.found("x:quiet") == ['1 {host="a"} -', '2 {host="a"} 2']
    place.tick(3, group(quiet))
    assert place.found("x:quiet")[-1] == '3 {host="a"} 0'  # what counts is zero when it is silent


def test_alerts_leave_their_states(place):
    many = alert("Many", f"{COUNT} > 2", for_ns=60 * 10**9, labels={"severity": "page"})
    for minute in (1, 2):
        place.lines(minute, 3)
    for minute in range(1, 5):
        place.tick(minute, group(many))
    labels = 'alertname="Many", alertstate="{}", host="a", severity="page"'
    pending, firing = ("{" + labels.format(state) + "}" for state in ("pending", "firing"))
    assert place.found("ALERTS") == [f"1 {pending} 1", f"2 {firing} 1", f"2 {pending} -", f"3 {firing} -"]
    since = '{alertname="Many", host="a", severity="page"}'
    assert place.found("ALERTS_FOR_STATE") == [f"1 {since} 1.76723e+09", f"2 {since} 1.76723e+09", f"3 {since} -"]
    assert place.query("ALERTS_FOR_STATE", 2) == {since.replace("{", '{__name__="ALERTS_FOR_STATE", '): 1767225660.0}


def test_the_series_of_a_rule_that_is_no_more_end(place):
    place.lines(1, 3)
    place.tick(1, group(LINES))
    place.store.forget(["x:lines:1m"], START + MINUTE + 1)
    assert place.found("x:lines:1m")[-1] == '1 {host="a"} -'
    assert place.query("x:lines:1m", 1.5) == {}


def test_a_rule_over_recorded_series_sees_those_of_its_own_window(place):
    rules = group(alert("Many", "x:lines:1m > 2"), LINES)  # it is evaluated second all the same
    place.lines(1, 3)
    for minute in (1, 2):
        place.tick(minute, rules)
    told = [(one.kind, one.at_ns) for one in place.store.told("Many", 0)]
    assert [kind for kind, _ in told] == ["firing", "resolved"]
    assert told[1][1] - told[0][1] == 60 * 10**9


def test_late_lines_reach_rules_over_recorded_series(place):
    rules = group(LINES, record("x:twice", "2 * x:lines:1m"), alert("Many", "x:twice > 4"))
    place.lines(1, 1)
    for minute in (1, 2):
        place.tick(minute, rules)
    assert place.store.told("Many", 0) == []
    place.correct(2, place.lines(1, 2), rules)
    assert place.found("x:twice")[0] == '1 {host="a"} 6'
    assert [one.kind for one in place.store.told("Many", 0)] == ["firing", "resolved"]


def test_windows_that_are_made_up_for_are_recorded_each(place):
    for minute in range(1, 6):
        place.lines(minute, minute)
    place.tick(1, group(LINES))
    place.tick(5, group(LINES, record("x:twice", "2 * x:lines:1m")))
    assert place.found("x:lines:1m") == [f'{minute} {{host="a"}} {minute}' for minute in range(1, 6)]
    assert place.found("x:twice") == ['5 {host="a"} 10']
