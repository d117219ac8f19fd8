"""Time that a test moves."""

from __future__ import annotations

import threading
import time

from tailrace.clock import NS_PER_S, ManualClock, SystemClock


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock(now_ns=5)
    assert (clock.now_ns(), clock.now_ns(), clock.monotonic_s()) == (5, 5, 0.0)


def test_it_moves_when_told_to() -> None:
    clock = ManualClock(now_ns=0)
    clock.advance(1.5)
    assert (clock.now_ns(), clock.monotonic_s()) == (NS_PER_S * 3 // 2, 1.5)


def test_waiting_moves_it_and_takes_no_time() -> None:
    clock = ManualClock(now_ns=0)
    began = time.monotonic()
    assert clock.wait(threading.Event(), 3_600) is False
    assert time.monotonic() - began < 1
    assert clock.monotonic_s() == 3_600


def test_waiting_for_what_is_there_does_not_move_it() -> None:
    clock, event = ManualClock(now_ns=0), threading.Event()
    event.set()
    assert clock.wait(event, 3_600) is True
    assert clock.now_ns() == 0


def test_small_steps_add_up_without_drift() -> None:
    clock = ManualClock(now_ns=0)
    for _ in range(1_000):
        clock.advance(0.001)
    assert clock.now_ns() == NS_PER_S


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    before = time.time_ns()
    assert before <= clock.now_ns() <= time.time_ns()
    first = clock.monotonic_s()
    assert clock.monotonic_s() >= first


def test_the_system_clock_wakes_at_the_event() -> None:
    event = threading.Event()
    event.set()
    assert SystemClock().wait(event, 60) is True
    assert SystemClock().wait(threading.Event(), 0.001) is False
