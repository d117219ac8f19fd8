"""What is kept of totals, and what is forgotten first."""

import polars as pl

from tailrace.query.totals import Totals


def frame(rows: int) -> pl.DataFrame:
    return pl.DataFrame({"lines": range(rows)})


def test_what_was_not_asked_for_longest_is_forgotten_first() -> None:
    totals: Totals[str] = Totals(9)
    for key in ("a", "b", "c"):  # two rows each, and one for the key
        totals.keep(key, frame(2))
    totals.known(["a"])
    totals.keep("d", frame(2))
    assert list(totals.known(["a", "b", "c", "d"])) == ["a", "c", "d"]
    assert totals.rows == 9


def test_totals_kept_again_count_once() -> None:
    totals: Totals[str] = Totals(100)
    totals.keep("a", frame(5))
    totals.keep("a", None)
    assert totals.known(["a", "b"]) == {"a": None}
    assert totals.rows == 1
    totals.clear()
    assert (totals.known(["a"]), totals.rows) == ({}, 0)


def test_the_newest_stay_however_many_they_are() -> None:
    totals: Totals[str] = Totals(3)
    totals.keep("a", frame(1))
    totals.keep("b", frame(10))
    assert list(totals.known(["a", "b"])) == ["b"]
