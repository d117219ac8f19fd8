"""Sessions: what their rows carry, when they are over, and how long they took."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reduce.metrics.rows import SECOND, rows
from tailrace.reduce.metrics.sessions import Sessions
from tailrace.reduce.metrics.settings import SessionSettings


def sessions(**settings: Any) -> Sessions:
    """Return sessions by `pid`, from `in` to `out`, that carry `m` and `n`."""
    given = {"name": "s", "key": "pid", "start": "e = 'in'", "end": "e = 'out'", "carry": ["m", "n"], **settings}
    return Sessions(SessionSettings.model_validate(given))


def line(pid: str | None, event: str, t: float, **fields: Any) -> dict[str, Any]:
    """Return a line of a process; `n` is there so that both carried columns exist."""
    return {"pid": pid, "e": event, "t": t, "m": None, "n": None, **fields}


def over(frame: Any) -> list[tuple[Any, ...]]:
    """Return `m`, `n`, the duration and the outcome of sessions."""
    return list(frame.select("m", "n", "duration_seconds", "outcome").iter_rows())


def test_later_lines_know_what_earlier_ones_said() -> None:
    one = sessions()
    first, _ = one.follow(
        rows(line("1", "in", 100), line("2", "in", 100), line("1", "x", 101, m="a"), line("1", "x", 102))
    )
    assert first["m"].to_list() == [None, None, "a", "a"]
    second, _ = one.follow(rows(line("1", "out", 103, n=7), line("2", "x", 103), line(None, "x", 103)))
    assert second["m"].to_list() == ["a", None, None]
    assert second["n"].to_list() == [7, None, None]


def test_an_end_is_counted_a_moment_later_and_may_be_told_otherwise() -> None:
    one = sessions()
    _, none = one.follow(rows(line("1", "in", 100), line("1", "out", 103, n=1)))
    assert over(none) == []
    assert over(one.due(round(104.9 * SECOND))) == []
    _, none = one.follow(rows(line("1", "out", 103.5, n=2)))
    assert over(none) == []
    assert over(one.due(106 * SECOND)) == [(None, 2, 3.5, "end")]
    assert over(one.due(106 * SECOND)) == []


def test_a_new_start_ends_what_was_open() -> None:
    one = sessions()
    _, closed = one.follow(
        rows(
            line("1", "in", 100, m="a"),
            line("1", "x", 101),
            line("1", "in", 105, m="b"),
            line("1", "out", 106),
            line("1", "in", 107),
        )
    )
    assert over(closed) == [("a", None, 1.0, "replaced"), ("b", None, 1.0, "end")]


def test_ends_without_a_start_have_no_duration() -> None:
    one = sessions()
    one.follow(rows(line("1", "out", 100, m="a"), line("2", "x", 100)))
    assert over(one.due(200 * SECOND)) == [("a", None, None, "end")]


def test_lines_after_an_end_are_one_more_session() -> None:
    one = sessions(settle=0)
    _, closed = one.follow(rows(line("3", "out", 100), line("3", "x", 100, m="b"), line("3", "out", 100)))
    assert over(closed) == [(None, None, None, "end"), ("b", None, None, "end")]


def test_silence_ends_a_session() -> None:
    one = sessions(timeout="10s")
    one.follow(rows(line("1", "in", 100, m="a")))
    assert over(one.due(110 * SECOND)) == []
    assert over(one.due(112 * SECOND)) == [("a", None, 0.0, "timeout")]
    one.follow(rows(line("2", "in", 100, m="b")))
    _, closed = one.follow(rows(line("2", "out", 120)))  # nobody looked in between
    assert over(closed) == [("b", None, 0.0, "replaced")]


def test_the_oldest_make_room() -> None:
    one = sessions(max_open=2)
    _, closed = one.follow(rows(*(line(str(pid), "in", 100 + pid, m=f"m{pid}") for pid in range(4))))
    assert over(closed) == [("m0", None, 0.0, "evicted"), ("m1", None, 0.0, "evicted")]
    assert one.open()["m"].to_list() == ["m2", "m3"]
    assert {key for key, value in one.mark().items() if value is None} == {"0", "1"}


def test_one_that_made_room_for_a_later_frame_is_forgotten_in_the_checkpoint() -> None:
    one = sessions(max_open=1)
    one.follow(rows(line("1", "in", 100)))
    assert set(one.mark()) == {"1"}
    one.follow(rows(line("2", "in", 101)))
    assert {key: value is None for key, value in one.mark().items()} == {"1": True, "2": False}


def test_a_hundred_thousand_starts_stay_within_the_bound() -> None:
    one = sessions(max_open=1_000)
    many = (
        rows(line("1", "in", 100))
        .drop("pid")
        .join(pl.DataFrame({"pid": pl.int_range(100_000, eager=True)}), how="cross")
    )
    _, closed = one.follow(many)
    assert (len(one.open()), len(closed)) == (1_000, 99_000)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ((0, 2, 2 + 8 * 3600, 5 + 8 * 3600), 5.0),  # the zone changes to the east: 2 + 0 + 3
        ((0, 2, 3 - 8 * 3600, 5 - 8 * 3600), 5.0),  # to the west: 2 + 1 + 2
        ((0, 1, 1 + 5.5 * 3600, 2 + 5.75 * 3600), 3.0),  # by half an hour, and again by a quarter: 1 + 0 + 1 + ...
        ((0, 1200, 2400, 3600), 3600.0),  # twenty minutes a file are no jumps
        ((0, 10, 8, 12), 14.0),  # back by two seconds: time does not pass backwards
    ],
)
def test_jumps_of_the_clock_are_left_out(times: tuple[float, ...], seconds: float) -> None:
    one = sessions(clock_step="15m")
    events = ["in", "x", "x", "out"]
    for event, time in zip(events, times, strict=True):
        one.follow(rows({**line("1", event, 100_000 + time), "o": 100_000}))
    assert over(one.due(200_000 * SECOND)) == [(None, None, pytest.approx(seconds, abs=1.0), "end")]


_LINES = st.lists(
    st.tuples(st.sampled_from("123"), st.sampled_from(["in", "x", "out"]), st.integers(0, 5)), max_size=40
)


@given(_LINES, st.sets(st.integers(1, 39)), st.sampled_from([0.0, 1.0]))
def test_any_split_gives_the_same_sessions(told: list[tuple[str, str, int]], cuts: set[int], settle: float) -> None:
    time, lines = 100, []
    for number, (pid, event, pause) in enumerate(told):
        time += pause
        lines.append(line(pid, event, time, m=f"m{number}" if number % 3 == 0 else None))
    whole, pieces = sessions(settle=settle, timeout="8s"), sessions(settle=settle, timeout="8s")
    expected = over(whole.follow(rows(*lines))[1]) if lines else []
    found = []
    borders = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    for start, end in itertools.pairwise(borders):
        if start < end:
            found += over(pieces.follow(rows(*lines[start:end]))[1])
            again = sessions(settle=settle, timeout="8s")
            again.restore({key: value for key, value in pieces_state(pieces).items() if value is not None})
            pieces = again
    assert sorted(map(str, found)) == sorted(map(str, expected))
    late = 10_000 * SECOND
    assert sorted(map(str, over(pieces.due(late)))) == sorted(map(str, over(whole.due(late))))


def pieces_state(one: Sessions) -> dict[str, object]:
    """Return everything that is open, as marks."""
    one._changed.update(one._open["_key"])
    return one.mark()
