"""How far behind a source is, in bytes and seconds, and when it counts as stalled."""

from __future__ import annotations

from tailrace.agent.lag import Lag, Late, Standing

NOW = 1e9


def standing(backlog=0, pending=0, read_s=None, *, idle=False, beat_s=None, progress=0, source="a"):
    return Standing(source, backlog, pending, read_s, idle, NOW if beat_s is None else beat_s, progress)


def test_nothing_waits():
    lag = Lag()
    assert lag.look(10.0, [standing()]) == [Late("a", 0, 0.0, 0.0)]
    assert lag.look(99.0, [standing()]) == [Late("a", 0, 0.0, 0.0)]


def test_what_was_read_is_late_since_then():
    assert Lag().look(10.0, [standing(pending=7, read_s=8.0)]) == [Late("a", 7, 2.0, 0.0)]


def test_what_waits_in_files_is_late_since_it_was_first_seen():
    lag = Lag()
    lag.look(10.0, [standing(backlog=5)])
    assert lag.look(13.0, [standing(backlog=6, pending=1, read_s=12.0)]) == [Late("a", 7, 3.0, 1.0)]
    lag.look(14.0, [standing()])
    assert lag.look(15.0, [standing(backlog=1)]) == [Late("a", 1, 0.0, 0.0)]


def test_the_beginning_of_a_line_is_not_late():
    lag = Lag()
    lag.look(10.0, [standing(backlog=5, idle=True)])
    assert lag.look(500.0, [standing(backlog=5, idle=True)]) == [Late("a", 5, 0.0, 0.0)]


def test_lines_on_their_way_that_do_not_become_durable_stand_still():
    lag = Lag()
    lag.look(10.0, [standing(pending=5, read_s=10.0, progress=3)])
    assert lag.look(80.0, [standing(pending=5, read_s=10.0, progress=3)])[0].still_s == 70.0
    assert lag.look(81.0, [standing(pending=5, read_s=60.0, progress=4)])[0].still_s == 0.0
    lag.look(90.0, [standing(progress=4)])
    assert lag.look(99.0, [standing(pending=1, read_s=98.0, progress=4)])[0].still_s == 1.0


def test_a_reading_that_does_not_come_back_stands_still():
    assert Lag().look(99.0, [standing(beat_s=9.0)])[0].still_s == 90.0


def test_a_source_that_is_gone_is_forgotten():
    lag = Lag()
    lag.look(10.0, [standing(backlog=5), standing(backlog=5, source="b")])
    assert lag.look(20.0, [standing(backlog=5)])[0].seconds == 10.0
    assert lag.look(30.0, [standing(backlog=5, source="b")])[0].seconds == 0.0
