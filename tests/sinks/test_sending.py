"""The sink that sends, over a courier that does as it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.receivers import around
from store.rows import batch
from tailrace.clock import ManualClock
from tailrace.errors import TransientError
from tailrace.sinks.delivery import DELIVERED, ROW, LaterError, RefusedError, Rows, Sent
from tailrace.sinks.numbers import Numbers
from tailrace.sinks.sending import REFUSALS, SendingSink, pieces
from tailrace.sinks.settings import SenderSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tailrace.batch import Position

WAIT_S = 60.0


class Courier:
    """Does what the next of `plan` says, else delivers; rows whose line is in `poison` are refused as a whole."""

    def __init__(self) -> None:
        self.plan: list[Exception | Sent] = []
        self.asked: list[list[str]] = []
        self.delivered: list[str] = []
        self.poison: set[str] = set()

    def send(self, rows: Rows) -> Sent:
        lines = rows.frame["_line"].to_list()
        self.asked.append(lines)
        told = self.plan.pop(0) if self.plan else DELIVERED
        if isinstance(told, Exception):
            raise told
        if self.poison.intersection(lines):
            raise RefusedError("no")
        left = {*told.refused, *told.again}
        self.delivered += [line for place, line in enumerate(lines) if place not in left]
        return told

    def close(self) -> None:
        return


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
def make(tmp_path: Path, courier: Courier):
    made: list[SendingSink] = []
    clock = ManualClock()

    def sink(**settings) -> SendingSink:
        made.append(SendingSink(SenderSettings(name="test", **settings), around(tmp_path, clock=clock), courier))
        return made[-1]

    sink.clock = clock
    yield sink
    for one in made:
        one.close()


def texts(count: int) -> list[str]:
    return [f"{n:04}" for n in range(count)]


def test_rows_that_failed_for_now_are_sent_again_alone(make: Callable, courier: Courier) -> None:
    courier.plan = [Sent(again={1: "busy", 3: "busy"}), Sent(again={0: "busy"}), DELIVERED]
    sink = make()
    sink.submit(batch(texts(4), "a", 0)).result(WAIT_S)
    assert courier.asked == [["0000", "0001", "0002", "0003"], ["0001", "0003"], ["0001"]]
    assert sorted(courier.delivered) == texts(4)


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(make: Callable, courier: Courier) -> None:
    courier.plan = [LaterError("busy", 42.0), Sent(again={0: "busy"}, after_s=17.0)]
    sink = make()
    before_s = make.clock.monotonic_s()
    sink.submit(batch(["x"], "a", 0)).result(WAIT_S)
    assert make.clock.monotonic_s() - before_s == pytest.approx(59.0)


def test_a_receiver_cannot_ask_for_ever(make: Callable, courier: Courier) -> None:
    courier.plan = [LaterError("busy", 1e9)]
    sink = make()
    before_s = make.clock.monotonic_s()
    sink.submit(batch(["x"], "a", 0)).result(WAIT_S)
    assert make.clock.monotonic_s() - before_s == pytest.approx(300.0)


def test_pauses_grow_and_have_jitter(make: Callable, courier: Courier) -> None:
    courier.plan = [TransientError("down")] * 6
    sink = make()
    before_s = make.clock.monotonic_s()
    sink.submit(batch(["x"], "a", 0)).result(WAIT_S)
    least, most = 0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1.6, 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2
    assert least <= make.clock.monotonic_s() - before_s <= most
    assert sink.counters["retries"] == 6


@pytest.mark.parametrize("places", [{0}, {6}, {1, 2}, set(range(7))])
def test_halving_finds_exactly_the_rows_to_blame(make: Callable, courier: Courier, places: set[int]) -> None:
    lines = texts(7)
    courier.poison = {lines[place] for place in places}
    sink = make()
    sink.submit(batch(lines, "a", 0)).result(WAIT_S)
    assert courier.delivered == [line for place, line in enumerate(lines) if place not in places]
    (letter,) = sink.dead_letters.letters()
    assert letter.frame()[ROW].to_list() == sorted(places)
    assert letter.reasons == {"no": len(places)}


def test_a_receiver_that_refuses_everything_is_not_asked_for_each_row(make: Callable, courier: Courier) -> None:
    courier.poison = set(texts(5_000))
    sink = make()
    sink.submit(batch(texts(5_000), "a", 0)).result(WAIT_S)
    assert len(courier.asked) <= 2 * REFUSALS
    assert sink.counters["refused"] == 5_000
    assert sink.last_number("a") == 0


def test_rows_are_set_aside_when_their_time_is_over(make: Callable, courier: Courier) -> None:
    courier.plan = [TransientError("down")] * 100
    sink = make(retry_s=5.0)
    sink.submit(batch(["x", "y"], "a", 0)).result(WAIT_S)
    (letter,) = sink.dead_letters.letters()
    assert letter.reasons == {"not delivered within 5 s: down": 2}


def test_what_a_receiver_says_commands_no_terminal(make: Callable, courier: Courier, caplog) -> None:
    courier.plan = [TransientError("busy \x1b[2J\nok"), Sent(refused={0: "bad \x1b[31m\nvalue"})]
    sink = make()
    sink.submit(batch(["x"], "a", 0)).result(WAIT_S)
    (letter,) = sink.dead_letters.letters()
    assert letter.reasons == {"bad  [31m value": 1}
    assert "busy  [2J ok" in caplog.text
    assert "\x1b" not in caplog.text


def test_replayed_rows_keep_their_ids_and_say_what_is_refused_again(make: Callable, courier: Courier) -> None:
    courier.poison = {"0001", "0002"}
    sink = make()
    sink.submit(batch(texts(4), "a", 7)).result(WAIT_S)
    (letter,) = sink.dead_letters.letters()
    parcel = letter.parcel()
    assert parcel.ids().to_list() == ["a-7-1", "a-7-2"]
    courier.poison = {"0002"}
    refused = sink.resend(parcel)
    assert refused == {1: "no"}
    sink.dead_letters.keep_only(letter, refused)
    (left,) = sink.dead_letters.letters()
    assert (left.rows, left.frame()["_line"].to_list()) == (1, ["0002"])
    courier.poison = set()
    sink.dead_letters.keep_only(left, sink.resend(left.parcel()))
    assert list(sink.dead_letters.letters()) == []


def test_requests_are_bounded_in_rows_and_bytes(make: Callable, courier: Courier) -> None:
    sink = make(batch_rows=3, batch_bytes=1_024)
    lines = ["a", "b", "c", "d", "x" * 1_000, "e", "f"]
    sink.submit(batch(lines, "a", 0)).result(WAIT_S)
    assert courier.delivered == lines
    assert [len(asked) for asked in courier.asked] == [3, 1, 1, 2]


@given(st.lists(st.integers(0, 400), max_size=60), st.integers(1, 10), st.integers(1, 1_000))
def test_pieces_cover_all_rows_once_within_the_bounds(sizes: list[int], rows: int, size: int) -> None:
    frame = pl.DataFrame({"_line": ["x" * one for one in sizes]}, schema={"_line": pl.String})
    found = list(pieces(frame, rows, size))
    assert sum(found) == len(sizes)
    start = 0
    for count in found:
        assert 1 <= count <= rows
        assert count == 1 or sum(sizes[start : start + count]) <= size
        start += count


def test_a_memory_that_is_away_is_asked_again(tmp_path: Path, courier: Courier) -> None:
    class Away(Numbers):
        asked = 0

        def holds(self, position: Position) -> bool:
            self.asked += 1
            if self.asked < 3:
                raise TransientError("away")
            return super().holds(position)

    settings = SenderSettings(name="test")
    sink = SendingSink(settings, around(tmp_path, clock=ManualClock()), courier, Away(tmp_path))
    for number in range(2):
        sink.submit(batch([str(number)], "a", number)).result(WAIT_S)
    sink.close()
    assert courier.delivered == ["0", "1"]


def test_an_unknown_failure_ends_the_agent_s_batches_and_no_others(make: Callable, courier: Courier) -> None:
    courier.plan = [ValueError("a bug")]
    sink = make()
    first = sink.submit(batch(["x"], "a", 0))
    second = sink.submit(batch(["y"], "a", 1))
    other = sink.submit(batch(["z"], "b", 0))
    assert str(first.exception(WAIT_S)) == str(second.exception(WAIT_S)) == "a bug"
    assert other.exception(WAIT_S) is None
    assert (sink.last_number("a"), sink.last_number("b")) == (None, 0)
