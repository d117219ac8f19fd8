"""Who pushes is behind by the allowance, and by as much more as its newest lines are old."""

from __future__ import annotations

from concurrent.futures import Future

import polars as pl
import pytest

from tailrace.alerts.evaluate import pushed as module
from tailrace.alerts.evaluate.pushed import Pushed
from tailrace.batch import Batch
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.errors import TransientError


class Sink:
    def __init__(self):
        self.futures, self.refuses, self.closed = [], False, False

    def submit(self, batch):
        if self.refuses:
            raise TransientError("no")
        self.futures.append(Future())
        return self.futures[-1]

    def last_number(self, agent):
        return 7

    def close(self):
        self.closed = True


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def pushed(sink, clock):
    return Pushed(sink, clock, disorder_s=30, wait_s=300)


def batch(clock, age_s=0.0, stream='{app="x"}', source="loki_push"):
    times = [clock.now_ns() - round(age_s * NS_PER_S), clock.now_ns() - round((age_s + 50) * NS_PER_S)]
    return Batch(pl.DataFrame({"_time_ns": times, "_stream": [stream] * 2}), source, 2, 0)


def seconds(pushed):
    return {one.name: one.seconds for one in pushed.behind()}


def test_nobody_is_waited_for_before_a_push(pushed):
    assert pushed.behind() == []


def test_who_is_up_to_date_is_behind_by_the_allowance(pushed, sink, clock):
    pushed.submit(batch(clock)).set_result(None)
    assert seconds(pushed) == {"loki_push": 30}
    clock.advance(100)
    assert seconds(pushed) == {"loki_push": 30}


def test_who_brings_old_lines_is_behind_by_their_age(pushed, clock):
    pushed.submit(batch(clock, 120)).set_result(None)
    assert seconds(pushed) == {"loki_push": 150}
    pushed.submit(batch(clock)).set_result(None)
    assert seconds(pushed) == {"loki_push": 30}, "it caught up"


def test_what_is_brought_in_from_the_past_holds_nobody_up(pushed, clock):
    pushed.submit(batch(clock, 301)).set_result(None)
    assert seconds(pushed) == {"loki_push": 30}


def test_what_is_on_its_way_is_waited_for(pushed, sink, clock):
    future = pushed.submit(batch(clock))
    clock.advance(400)
    assert seconds(pushed) == {"loki_push": 430}
    future.set_result(None)
    assert pushed.behind() == [], "and nothing was pushed lately"


def test_a_push_that_is_refused_is_not_on_its_way(pushed, sink, clock):
    sink.refuses = True
    with pytest.raises(TransientError):
        pushed.submit(batch(clock))
    clock.advance(100)
    assert seconds(pushed) == {"loki_push": 30}


def test_streams_are_those_of_late(pushed, clock):
    pushed.submit(batch(clock, stream='{app="old"}')).set_result(None)
    clock.advance(200)
    pushed.submit(batch(clock, stream='{app="new"}')).set_result(None)
    assert [one.streams for one in pushed.behind()] == [('{app="new"}', '{app="old"}')]
    clock.advance(150)
    assert [one.streams for one in pushed.behind()] == [('{app="new"}',)]


def test_of_very_many_streams_it_is_not_known_which(pushed, clock, monkeypatch):
    monkeypatch.setattr(module, "STREAMS", 1)
    for name in "ab":
        pushed.submit(batch(clock, stream=f'{{app="{name}"}}')).set_result(None)
    assert [one.streams for one in pushed.behind()] == [None]


def test_the_rest_is_the_sinks(pushed, sink):
    assert pushed.last_number("x") == 7
    pushed.close()
    assert sink.closed
