from contextlib import suppress

import polars as pl
import pytest

from tailrace import limits
from tailrace.errors import DataError, TransientError
from tailrace.web.push_repeats import Repeats
from tailrace.web.refusals import Refused

SCHEMA = {"_stream": pl.String, "_time_ns": pl.Int64, "_line": pl.String, "_observed_ns": pl.Int64, "id": pl.String}


def frame(*rows: tuple[str, int, str, str | None], now: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        [(stream, at, line, now, field) for stream, at, line, field in rows], schema=SCHEMA, orient="row"
    )


def fresh(repeats: Repeats, rows: pl.DataFrame) -> pl.DataFrame:
    """Return what is not known, and store none of it."""
    with suppress(LookupError), repeats.taking() as take:
        found = take(rows)
        raise LookupError
    return found


def remember(repeats: Repeats, rows: pl.DataFrame) -> None:
    with repeats.taking() as take:
        take(rows)


def test_what_is_durable_is_not_taken_again() -> None:
    repeats = Repeats()
    first = frame(("{a}", 1, "x", None), ("{a}", 2, "y", None))
    assert fresh(repeats, first).equals(first)
    assert fresh(repeats, first).height == 2  # nothing is known before it is durable
    remember(repeats, first)
    again = frame(("{a}", 2, "y", None), ("{a}", 3, "z", None), now=9)
    assert fresh(repeats, again)["_line"].to_list() == ["z"]


@pytest.mark.parametrize(
    "other", [("{b}", 1, "x", None), ("{a}", 2, "x", None), ("{a}", 1, "X", None), ("{a}", 1, "x", "9f")]
)
def test_an_entry_that_differs_in_anything_is_another(other) -> None:
    repeats = Repeats()
    remember(repeats, frame(("{a}", 1, "x", None)))
    assert fresh(repeats, frame(other)).height == 1


def test_what_is_under_way_elsewhere_is_refused_until_that_ends() -> None:
    repeats = Repeats()
    with repeats.taking() as take:
        take(frame(("{a}", 1, "x", None)))
        with pytest.raises(TransientError), repeats.taking() as other:
            other(frame(("{a}", 2, "y", None), ("{a}", 1, "x", None)))
        remember(repeats, frame(("{a}", 2, "y", None)))
    assert fresh(repeats, frame(("{a}", 1, "x", None), ("{a}", 2, "y", None))).height == 0


def test_a_column_without_values_changes_nothing() -> None:
    repeats = Repeats()
    remember(repeats, frame(("{a}", 1, "x", None)))
    assert fresh(repeats, frame(("{a}", 1, "x", None)).drop("id")).height == 0


def test_an_entry_twice_in_one_push_is_one() -> None:
    assert fresh(Repeats(), frame(("{a}", 1, "x", "7"), ("{a}", 1, "x", "8"), ("{a}", 1, "x", "7")))[
        "id"
    ].to_list() == [
        "7",
        "8",
    ]


def test_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUSH_REPEATS", 10)
    repeats = Repeats()
    for at in range(12):
        remember(repeats, frame(("{a}", at, "x", None)))
    known = [at for at in range(12) if fresh(repeats, frame(("{a}", at, "x", None))).height == 0]
    assert known[-1] == 11
    assert 5 <= len(known) <= 10


def test_a_key_is_done_once_and_a_failure_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PUSH_KEYS", 2)
    repeats = Repeats()
    with pytest.raises(OSError, match="full"), repeats.once("k"):
        raise OSError("full")
    for expected in (True, False):
        with repeats.once("k") as wanted:
            assert wanted is expected
            with pytest.raises(Refused), repeats.once("k"):
                pass
    for other in ("l", "m"):
        with repeats.once(other) as wanted:
            assert wanted
    with repeats.once("k") as wanted:
        assert wanted  # forgotten
    with repeats.once(None) as wanted:
        assert wanted
    with pytest.raises(DataError), repeats.once("x" * 256):
        pass
