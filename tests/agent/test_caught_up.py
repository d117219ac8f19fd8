"""When a source came to the end of what waited for it at the start, and how far behind it is from then on."""

from __future__ import annotations

from math import inf

from tailrace.agent.caught_up import CaughtUp
from tailrace.agent.lag import Late, Standing


def look(caught_up, now_s, *, backlog=0, idle=False, beat_s=None, read=0, seconds=0.0, source="a"):
    standing = Standing(source, backlog, 0, None, idle, now_s if beat_s is None else beat_s, 0)
    late = Late(source, backlog, seconds, 0.0)
    return caught_up.behind(now_s, [standing], [late], lambda _: read)[source]


def test_before_a_reading_came_back_nothing_is_known():
    caught_up = CaughtUp()
    assert look(caught_up, 10.0, idle=True, beat_s=5.0) == inf, "a feed begins as idle, with nothing listed"
    assert look(caught_up, 11.0, idle=True, beat_s=5.0) == inf
    assert look(caught_up, 12.0, idle=True, beat_s=11.5) == 0.0


def test_what_waited_is_read_first():
    caught_up = CaughtUp()
    look(caught_up, 10.0, beat_s=9.0)
    assert look(caught_up, 11.0, backlog=10_000, read=1_000) == inf, "ten times what it reads in a second"
    assert look(caught_up, 12.0, backlog=9_000, read=2_000) == inf
    assert look(caught_up, 13.0, idle=True, read=11_000) == 0.0
    assert look(caught_up, 14.0, backlog=10_000, read=12_000, seconds=1.0) == 1.0, "once is enough"


def test_a_file_that_is_written_to_at_full_speed_counts_as_read_when_little_waits():
    caught_up = CaughtUp()
    look(caught_up, 10.0, beat_s=9.0)
    assert look(caught_up, 11.0, backlog=2_001, read=1_000) == inf
    assert look(caught_up, 12.0, backlog=2_000, read=2_000, seconds=0.5) == 0.5, "two seconds' worth"


def test_a_reader_that_does_not_come_back_is_behind_since_then():
    caught_up = CaughtUp()
    look(caught_up, 10.0, beat_s=9.0)
    look(caught_up, 11.0, idle=True, beat_s=10.9)
    assert look(caught_up, 15.0, idle=True, beat_s=11.0) == 0.0
    assert look(caught_up, 31.0, idle=True, beat_s=11.0) == 20.0


def test_a_source_that_left_and_came_again_is_a_new_one():
    caught_up = CaughtUp()
    look(caught_up, 10.0, beat_s=9.0)
    assert look(caught_up, 11.0, idle=True) == 0.0
    assert caught_up.behind(12.0, [], [], lambda _: 0) == {}
    assert look(caught_up, 13.0, idle=True, beat_s=12.5) == inf
