"""Words of lines, parts of words, and what shapes say of them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.store import words
from tailrace.store.words import ANY, HEX, NUMBER, UPPER_HEX, Part, Shape


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("deadlock", [Part("deadlock", whole=False)]),
        (" deadlock", [Part("deadlock", whole=False)]),
        (" deadlock ", [Part("deadlock", whole=True)]),
        ('"id":"ab-12"', [Part("ab-12", whole=True)]),
        ("a bc def", []),
        ("größe", []),  # `gr` and `e`: letters beyond ASCII part words
        ("", []),
    ],
)
def test_parts(text: str, parts: list[Part]) -> None:
    assert words.parts(text) == parts


def test_distinct_words() -> None:
    found = words.distinct(pl.Series(["one two-x three_3", "three_3 four", None, ""]))
    assert sorted(found) == ["four", "three_3", "two-x"]


def test_many_of_one_shape_are_not_listed() -> None:
    numbers = [f"{number:07}" for number in range(100)]
    orders = [f"order-{number:03}" for number in range(100)]
    short = [f"{number:04}" for number in range(100)]
    listed, others, shapes = words.sorted_out(pl.Series([*numbers, *orders, *short, "deadlock", "beef"]))
    assert sorted(listed) == ["beef", "deadlock"]
    assert sorted(others) == sorted([*numbers, *orders])  # short numbers are worth no filter
    assert shapes == {Shape(NUMBER, 7), Shape("order-0", 9), Shape(NUMBER, 4)}


def test_words_without_common_shapes_are_not_listed_either() -> None:
    texts = pl.Series([f"x{'y' * (number % 97)}{'-' * (number // 97)}z" for number in range(words.LISTED + 1)])
    listed, others, shapes = words.sorted_out(texts)
    assert listed.is_empty()
    assert len(others) == words.LISTED + 1
    assert shapes == {Shape(ANY, max(map(len, texts)))}


@pytest.mark.parametrize(
    ("shape", "part", "held"),
    [
        (Shape(HEX, 32), "deadbeef", True),
        (Shape(HEX, 32), "deadlock", False),
        (Shape(HEX, 4), "deadbeef", False),
        (Shape(UPPER_HEX, 8), "dead", False),
        (Shape("user-0", 9), "ser-12", True),
        (Shape("user-0", 9), "user", True),
        (Shape("user-0", 9), "-1-2", False),
        (Shape(ANY, 5), "abcde", True),
        (Shape(ANY, 5), "abcdef", False),
    ],
)
def test_what_may_be_a_part(shape: Shape, part: str, *, held: bool) -> None:
    assert shape.may_hold(part) is held


@given(st.text("ab1-2Z_", min_size=4, max_size=12), st.data())
def test_a_part_of_a_word_may_be_held_by_its_shape(word: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(word) - 1))
    part = word[start : data.draw(st.integers(start + 1, len(word)))]
    copies = pl.Series([word])
    for most in (0, words.MANY):  # of a shape that is listed, and of one that is not
        shape = _shape(copies, most)
        assert shape is None or shape.may_hold(part)
        assert shape is None or shape.may_be(word)


def _shape(texts: pl.Series, most: int) -> Shape | None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "MANY", most)
        return next(iter(words.sorted_out(texts)[2]), None)
