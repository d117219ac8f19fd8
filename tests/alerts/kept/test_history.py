"""What a rule has said: signals, ends, and what late lines made of them."""

from __future__ import annotations

import pytest

from alerts.world import MINUTE, Line, S, World, group, rule
from tailrace.alerts.kept.history import entries

START = 100 * MINUTE


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, now_ns=START)
    yield made
    made.control.close()


def burst(minute: int, count: int = 2, *, known: int | None = None, host: str = "a") -> list[Line]:
    at_ns = START + minute * MINUTE - 10 * S
    return [Line(at_ns, at_ns if known is None else START + known * MINUTE, host) for _ in range(count)]


def run(world, server, minutes, *groups):
    for _ in range(minutes):
        world.now_ns += MINUTE
        assert server.round(*(groups or (group(),)))


def history(world, limit=100):
    return [
        f"{entry.at_ns // MINUTE - 100} {entry.kind} {entry.labels['host']}"
        + ("" if entry.value is None else f" {entry.value:g}")
        for entry in entries(world.control, "A", limit)
    ]


def test_every_signal_and_every_end_newest_first(world):
    world.lines += burst(1, 3) + burst(2, 5) + burst(2, 2, host="b") + burst(5, 4)
    server = world.server()
    server.round(group())
    run(world, server, 6)
    assert history(world) == [
        "6 recovered a",
        "5 signal a 4",
        "3 recovered a",
        "3 recovered b",
        "2 signal a 5",
        "2 signal b 2",
        "1 signal a 3",
    ]
    assert history(world, 2) == ["6 recovered a", "5 signal a 4"]


def test_pending_is_a_signal_and_kept_firing_is_none(world):
    world.lines += burst(1) + burst(2)
    patient = group(rule(for_ns=MINUTE, keep_firing_for_ns=2 * MINUTE))
    server = world.server()
    server.round(patient)
    run(world, server, 5, patient)
    assert history(world) == ["5 recovered a", "2 signal a 2", "1 signal a 2"]


def test_the_newest_evaluation_of_a_window_counts(world):
    server = world.server()
    server.round(group())
    run(world, server, 2)
    assert history(world) == []
    world.lines += burst(1, 4, known=3)
    run(world, server, 1)
    assert [line for line in history(world) if "signal" in line] == ["1 signal a 4"]
    world.lines.clear()  # as if the lines had been deleted, and others came
    world.lines += burst(1, 1, known=4)
    run(world, server, 1)
    assert [line for line in history(world) if "signal" in line] == []


def test_a_rule_that_was_never_evaluated_has_none(world):
    assert entries(world.control, "nobody") == []
