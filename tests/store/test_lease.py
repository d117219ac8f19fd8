"""Who keeps a table: one at a time, handed over, and taken over from who died."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tailrace.control.holder import holder
from tailrace.errors import TransientError
from tailrace.store.bucket import Got
from tailrace.store.lease import EXPIRES_S, RENEW_S, ObjectLease

if TYPE_CHECKING:
    from collections.abc import Sequence


class Objects:
    """One object with conditional puts, and failures after or before a put when a test says so."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.puts = 0
        self.failing: Sequence[str] = ()  # before, after

    def get(self, key: str) -> Got:
        if self.data is None:
            raise FileNotFoundError(key)
        return Got(self.data, 0, str(self.puts))

    def put(self, key: str, data: bytes, *, over: str | None = None) -> str | None:
        if "before" in self.failing:
            raise TransientError("away")
        if (over is None) != (self.data is None) or (over is not None and over != str(self.puts)):
            return None
        self.data, self.puts = data, self.puts + 1
        if "after" in self.failing:
            raise TransientError("away")
        return str(self.puts)


class Time:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def objects() -> Objects:
    return Objects()


@pytest.fixture
def time() -> Time:
    return Time()


def lease(objects: Objects, time: Time, holder: str) -> ObjectLease:
    return ObjectLease(objects, "_lease/keeper.json", holder, time)  # type: ignore[arg-type]  # all that it uses


def test_one_holds_it_and_the_other_waits(objects: Objects, time: Time) -> None:
    one, other = lease(objects, time, "one"), lease(objects, time, "other")
    assert (one.held(), other.held(), one.held(), other.held()) == (True, False, True, False)
    assert objects.puts == 1  # it is not renewed before that is due


def test_who_renews_keeps_it(objects: Objects, time: Time) -> None:
    one, other = lease(objects, time, "one"), lease(objects, time, "other")
    assert one.held()
    for _ in range(20):
        time.now_s += EXPIRES_S / 2
        assert (one.held(), other.held()) == (True, False)


def test_who_died_is_followed_once_its_time_is_over(objects: Objects, time: Time) -> None:
    one, other = lease(objects, time, "one"), lease(objects, time, "other")
    assert one.held()
    time.now_s += 10 * EXPIRES_S
    assert not other.held()  # it has only just seen it: the clock of the one that wrote it is nobody's business
    time.now_s += EXPIRES_S - 1
    assert not other.held()
    time.now_s += 1
    assert other.held()
    assert not one.held()  # which finds out when it renews


def test_a_process_of_this_machine_that_ended_is_followed_at_once(objects: Objects, time: Time) -> None:
    code = "from tailrace.control.holder import holder; print(holder())"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert lease(objects, time, ended).held()
    running = lease(objects, time, holder())
    assert running.held()
    assert not lease(objects, time, "other").held()  # a process that runs is not followed


def test_who_gives_it_up_is_followed_at_once(objects: Objects, time: Time) -> None:
    one, other = lease(objects, time, "one"), lease(objects, time, "other")
    assert one.held()
    assert not other.held()
    one.release()
    assert (other.held(), one.held()) == (True, False)


def test_of_two_that_take_it_at_once_one_gets_it(objects: Objects, time: Time) -> None:
    holders = [lease(objects, time, name) for name in "abc"]
    dead = lease(objects, time, "dead")
    assert dead.held()
    assert not any(one.held() for one in holders)
    time.now_s += EXPIRES_S
    assert sum(one.held() for one in holders) == 1


@pytest.mark.parametrize("failing", ["before", "after"])
def test_a_renewal_whose_answer_is_lost_is_tried_again(objects: Objects, time: Time, failing: str) -> None:
    one, other = lease(objects, time, "one"), lease(objects, time, "other")
    assert one.held()
    time.now_s += RENEW_S
    objects.failing = [failing]
    with pytest.raises(TransientError):
        one.held()
    objects.failing = ()
    assert (one.held(), other.held()) == (True, False)


def test_garbage_is_nobodys(objects: Objects, time: Time) -> None:
    objects.data, objects.puts = b"{", 7
    assert lease(objects, time, "one").held()
