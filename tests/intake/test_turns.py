"""Turns: what is received is stored once, in its order, however long the store takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl
import pytest

from intake.places import Place, place, wait_until
from tailrace.errors import TransientError
from tailrace.intake.turns import Turns


def rows(turn: Sequence[str]) -> pl.DataFrame:
    if "bug" in turn:
        raise RuntimeError("a parser failed")
    return pl.DataFrame({"_line": turn}).with_columns(
        _time_ns=pl.lit(1), _observed_ns=pl.lit(1), _stream=pl.lit("{}"), field=pl.lit("x")
    )


def plain(turn: Sequence[str]) -> pl.DataFrame:
    return rows([f"plain {text}" for text in turn]).drop("field")


@pytest.fixture
def turns() -> Iterator[tuple[Place, Turns[str]]]:
    here = place()
    made = Turns("x", here.supply, rows, plain)
    made.start()
    yield here, made
    here.shelf.go_on()
    made.close()


def add(here: Place, turns: Turns[str], text: str, told: list[bool] | None = None) -> None:
    hold = here.supply.gate.chunk("a", 10, receiver="x")
    turns.add(text, hold, None if told is None else told.append)


def test_what_is_given_is_stored_and_told(turns: tuple[Place, Turns[str]]) -> None:
    here, made = turns
    told: list[bool] = []
    for number in range(100):
        add(here, made, str(number), told)
    wait_until(lambda: len(told) == 100)
    assert here.shelf.lines == [str(number) for number in range(100)]
    assert (all(told), here.supply.gate.bytes) == (True, 0)


def test_a_store_that_fails_for_a_while_gets_it_later_and_once(turns: tuple[Place, Turns[str]]) -> None:
    here, made = turns
    here.shelf.failures = [TransientError("no"), TransientError("no")]
    told: list[bool] = []
    add(here, made, "kept", told)
    wait_until(lambda: told == [True])
    assert here.shelf.lines == ["kept"]
    account = here.accounts.of("x")
    assert (account.lines["read"], account.lines["stored"], account.closed()) == (1, 1, True)


def test_a_turn_that_cannot_be_read_is_stored_plain(turns: tuple[Place, Turns[str]]) -> None:
    here, made = turns
    told: list[bool] = []
    add(here, made, "bug", told)
    wait_until(lambda: told == [True])
    assert here.shelf.lines == ["plain bug"]


def test_what_can_never_be_stored_is_counted_and_the_next_is_stored(turns: tuple[Place, Turns[str]]) -> None:
    here, made = turns
    here.shelf.failures = [ValueError("a field"), ValueError("all of it")]
    told: list[bool] = []
    add(here, made, "bad", told)
    wait_until(lambda: told == [False])
    add(here, made, "good", told)
    wait_until(lambda: told == [False, True])
    account = here.accounts.of("x")
    assert (account.lines["rejected"], account.lines["stored"], account.closed()) == (1, 1, True)
    assert here.supply.gate.bytes == 0


def test_a_stop_gives_up_what_the_store_does_not_take() -> None:
    here = place()
    made = Turns("x", here.supply, rows, plain)
    made.start()
    here.shelf.failures = [TransientError("the disk is full")] * 1_000
    told: list[bool] = []
    add(here, made, "lost", told)
    made.close(timeout_s=2)
    assert told == [False]
    assert here.accounts.of("x").lines["rejected"] == 1
