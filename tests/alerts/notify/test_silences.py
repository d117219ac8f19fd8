"""Silences: their states, what may be changed, for whom they are; by cases worked out by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tailrace.alerts.notify.matchers import matchers
from tailrace.alerts.notify.silences import KEPT_NS, NoSilenceError, Silence, Silences, active, forget
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.errors import DataError

CASES = tomllib.loads((Path(__file__).parents[2] / "cases" / "alerts" / "silences.toml").read_text())
MINUTE = 60 * 10**9
START = 1_700_000_000 * 10**9


def silence(times, tests=("a=b",), name="") -> Silence:
    read = tuple(test for text in tests for test in matchers(text))
    starts_ns, ends_ns = (START + minute * MINUTE for minute in times)
    return Silence(read, starts_ns, ends_ns, "me", "why", name)


@pytest.fixture
def clock():
    return ManualClock(START)


@pytest.fixture
def silences(tmp_path, clock):
    control = Control.open(tmp_path)
    yield Silences(control, clock)
    control.close()


def minutes(one: Silence) -> list[int]:
    return [(one.starts_ns - START) // MINUTE, (one.ends_ns - START) // MINUTE]


@pytest.mark.parametrize("case", CASES["state"])
def test_states(case):
    one = silence(case["times"])
    assert {at: one.state(START + int(at) * MINUTE) for at in case["at"]} == case["at"]


@pytest.mark.parametrize("case", CASES["refused"], ids=[case["name"] for case in CASES["refused"]])
def test_refused(case, silences, clock):
    clock.advance(60)
    with pytest.raises(DataError, match=case["says"]):
        silences.save(silence(case["times"], case["matchers"]))
    assert silences.all() == []


@pytest.mark.parametrize("case", CASES["change"], ids=[case["name"] for case in CASES["change"]])
def test_changes(case, silences, clock):
    before = silences.save(silence(case["times"]))
    clock.advance(case["at"] * 60)
    after = silences.save(silence(case["to"]["times"], case["to"].get("matchers", ("a=b",)), before))
    assert (after == before) is case["keeps"]
    assert minutes(silences.get(after)) == case["new"]
    if not case["keeps"]:
        assert minutes(silences.get(before)) == case["old"]
    assert silences.get(after).updated_ns == clock.now_ns()


@pytest.mark.parametrize("case", CASES["match"])
def test_matches(case):
    one = silence((0, 1), case["matchers"])
    assert all(one.silences(labels) for labels in case["fits"])
    assert not any(one.silences(labels) for labels in case["misses"])


def test_ends_of_silences(silences, clock):
    running, coming = silences.save(silence((0, 10))), silences.save(silence((5, 10)))
    clock.advance(60)
    silences.expire(running)
    silences.expire(coming)
    assert minutes(silences.get(running)) == [0, 1]
    assert minutes(silences.get(coming)) == [1, 1]
    clock.advance(60)
    silences.expire(running)  # a second time changes nothing
    assert minutes(silences.get(running)) == [0, 1]


def test_one_that_is_not_there(silences):
    for call in (silences.get, silences.expire, lambda name: silences.save(silence((0, 1), name=name))):
        with pytest.raises(NoSilenceError, match="there is no silence 'x'"):
            call("x")


def test_a_start_in_the_past_is_now(silences, clock):
    clock.advance(120)
    assert minutes(silences.get(silences.save(silence((0, 10))))) == [2, 10]


def test_the_order_of_the_list(silences, clock):
    late, soon = silences.save(silence((0, 30))), silences.save(silence((0, 20)))
    later, next_ = silences.save(silence((15, 20))), silences.save(silence((12, 20)))
    first, last = silences.save(silence((0, 2))), silences.save(silence((0, 5)))
    clock.advance(10 * 60)
    assert [one.id for one in silences.all()] == [soon, late, next_, later, last, first]


def test_the_list_by_matchers(silences):
    one, other = silences.save(silence((0, 9), ["a=b", "c=d"])), silences.save(silence((0, 9), ['a=~"b.*"']))
    assert [each.id for each in silences.all(matchers("c=d"))] == [one]
    assert {each.id for each in silences.all(matchers('a=~"b.*"'))} == {one, other}
    assert silences.all(matchers("e=f")) == []


def test_they_outlive_a_restart_and_are_dropped_long_after_their_end(tmp_path, clock):
    control = Control.open(tmp_path)
    name = Silences(control, clock).save(silence((0, 10), ['a=~"x|y"']))
    control.close()
    control = Control.open(tmp_path)
    assert [str(test) for test in Silences(control, clock).get(name).matchers] == ['a=~"x|y"']
    with control.transaction() as connection:
        assert [one.id for one in active(connection, START)] == [name]
        assert active(connection, START + 10 * MINUTE) == []
        forget(connection, START + 10 * MINUTE + KEPT_NS)
        forget(connection, START + 10 * MINUTE + KEPT_NS + 1)
    assert Silences(control, clock).all() == []
    control.close()
