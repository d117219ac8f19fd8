"""Batches under way: who is next, who waits, and in which order they are done."""

from __future__ import annotations

from tailrace.clock import ManualClock
from tailrace.errors import TransientError
from tailrace.shipment import Heading
from tailrace.sinks.ship.window import Parcel, Window


def parcel(number: int, size: int = 1, agent: str = "web") -> Parcel:
    return Parcel(Heading(agent, number, number - 1), b"x" * size, iter(()))


def window(*numbers: int, **more) -> tuple[Window, ManualClock, list[Parcel]]:
    clock = ManualClock(0)
    made = Window(clock, 10, 100, **more)
    parcels = [parcel(number) for number in numbers]
    for one in parcels:
        made.put(one)
    return made, clock, parcels


def test_the_first_that_nobody_sends_is_next() -> None:
    made, _, (first, second, third) = window(1, 2, 3)
    assert made.take() is first
    assert made.take() is second
    made.again(first, 0.0)
    assert made.take() is first
    assert made.take() is third
    assert made.first(first)
    assert not made.first(third)


def test_one_that_has_to_wait_lets_the_next_go_first() -> None:
    made, clock, (first, second) = window(1, 2)
    made.take()
    made.again(first, 5.0)
    assert made.take() is second
    made.again(second, 0.0)
    assert made.take() is second
    clock.advance(5.0)
    assert made.take() is first


def test_what_is_durable_takes_all_before_it_along_in_order() -> None:
    made, _, parcels = window(1, 2, 3)
    other = parcel(1, agent="db")
    made.put(other)
    done: list[int] = []
    for one in parcels:
        one.settled.add_done_callback(lambda _, number=one.heading.number: done.append(number))
    made.take()
    made.done("web", 2)
    assert done == [1, 2]
    assert made.bytes == 2
    assert not other.settled.done()
    made.done("web", 2)  # said twice
    assert done == [1, 2]


def test_a_failure_is_told_to_all_of_the_agent() -> None:
    made, _, parcels = window(1, 2)
    error = TransientError("away")
    made.fail("web", error)
    assert [one.settled.exception() for one in parcels] == [error, error]
    made.close()
    assert made.take() is None


def test_a_batch_without_its_rows_takes_its_place() -> None:
    made, _, (first, second) = window(1, 2)
    made.take()
    made.replace(first, first.emptied())
    again = made.take()
    assert again is not None
    assert (again.heading.number, again.body, again.settled) == (1, b"", first.settled)
    assert made.bytes == 1
    made.done("web", 1)
    assert first.settled.result(0) is None
    assert made.take() is second


def test_nobody_waits_when_there_is_hurry() -> None:
    made, _, (first,) = window(1, hurried=lambda: True)
    made.take()
    made.again(first, 60.0)
    assert made.take() is first
