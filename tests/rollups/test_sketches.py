"""How many different values there are: hashes that never change, exact counts, sketches, and their errors."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.limits import ROLLUP_VALUES
from tailrace.rollups import sketches, states

KIND = states.KINDS[states.DISTINCT]


def users(first: int, end: int) -> pl.DataFrame:
    return pl.DataFrame({"label.user": [f"user-{number}" for number in range(first, end)], "k": 1})


def state(first: int, end: int) -> pl.DataFrame:
    """The state of some users, as one taking leaves it."""
    return sketches.rounded(sketches.items(users(first, end), {"user"}, ["k"]), ["k"], bounded=True)


def count(*parts: pl.DataFrame) -> float:
    return sketches.counts(states.merged(KIND, pl.concat(parts, how="diagonal"), ["k"], bounded=False), ["k"])[
        "value"
    ].item()


def of_bytes(text: str) -> int:
    """The hash as the module's text says it, value by value."""
    data = text.encode()
    found = of_number(len(data))
    for at in range(0, len(data), 8):
        found = of_number(found ^ int.from_bytes(data[at : at + 8].ljust(8, b"\0"), "little"))
    return found


def of_number(number: int) -> int:
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def test_hashes_are_those_of_all_versions():
    """The first is what splitmix64 gives first for the seed 0, as its authors publish it; all are in data folders."""
    assert sketches.hashes(pl.Series(["", "a", "abcdefgh", "abcdefghi"])).to_list() == [
        0xE220A8397B1DCDAF,
        0x5E025F9ADE9EAF3E,
        0x804D4BCF99E046D6,
        0xCBE0B0512E86AB3B,
    ]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_hashes_do_not_depend_on_the_other_values(texts: list[str]):
    assert sketches.hashes(pl.Series(texts)).to_list() == [of_bytes(text) for text in texts]


def test_label_sets_that_differ_differ():
    """Absent, and values that look like two labels."""
    sets = pl.DataFrame({"label.a": ["x", "x", None, "xb=1:y", "x"], "label.b": ["y", None, "y", None, "y"]})
    assert sketches.items(sets, {"a", "b"}, []).height == 4


def test_few_values_are_counted_exactly_however_they_are_parted():
    assert count(state(0, 3), state(2, 5)) == 5.0
    assert count(*[state(0, ROLLUP_VALUES)] * 2) == ROLLUP_VALUES
    assert not state(0, ROLLUP_VALUES)["rounded"].any()


def test_a_register_keeps_the_highest_place_of_the_first_bit():
    """Of hashes 5 * 2^52 + rest: places of the first bit of 52 are 1, 52, and 53 if there is none."""
    rests = (2**51, 1, 0)
    for rest, rank in zip(rests, (1, 52, 53), strict=True):
        exact = {"item": [5 * 2**52 + rest], "rank": [None], "rounded": [False]}
        frame = pl.DataFrame(exact, schema_overrides={"rank": pl.Int64})
        old = pl.DataFrame({"item": [5], "rank": [rank - 1], "rounded": [True]})
        found = states.merged(KIND, pl.concat([frame, old], how="diagonal"), [])
        assert found.select("item", "rank", "rounded").rows() == [(5, rank, True)]


def test_a_sketch_with_one_register_counts_one():
    """Estimated by hand: with 4,095 of 4,096 registers empty and one of rank 1 the sum gives 1.0 when rounded."""
    assert count(pl.DataFrame({"k": [1], "item": [7], "rank": [1], "rounded": [True]})) == 1.0


@pytest.mark.parametrize("number", [ROLLUP_VALUES + 1, 8_000, 20_000, 200_000])
def test_many_values_are_counted_by_a_sketch_within_its_error(number: int):
    found = state(0, number)
    assert found.height <= sketches.REGISTERS
    assert found["rounded"].all()
    assert count(found) == pytest.approx(number, rel=3 * sketches.ERROR)


def by_hand(numbers: set[int]) -> dict[int, int]:
    """The registers of users, number by number."""
    found: dict[int, int] = {}
    for number in numbers:
        text = f"user-{number}"
        hashed = of_bytes(f"user={len(text)}:{text}")
        rank = 53 - (hashed % 2**52).bit_length()
        found[hashed // 2**52] = max(found.get(hashed // 2**52, 0), rank)
    return found


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 6_000)), min_size=1, max_size=3))
def test_sketches_of_parts_are_that_of_the_whole(spans: list[tuple[int, int]]):
    numbers = {number for first, size in spans for number in range(first, first + size)}
    parts = [state(first, first + size) for first, size in spans]
    one = parts[0]
    for part in parts[1:]:
        one = states.merged(KIND, pl.concat([one, part], how="diagonal"), ["k"])
    other = states.merged(KIND, pl.concat(reversed(parts), how="diagonal"), ["k"])
    for found in (one, other):
        if found["rounded"].all():
            assert dict(found.select("item", "rank").iter_rows()) == by_hand(numbers)
        else:
            assert found.height == len(numbers) <= ROLLUP_VALUES
    assert one["rounded"].any() == other["rounded"].any() == (len(numbers) > ROLLUP_VALUES or parts_were_many(spans))


def parts_were_many(spans: list[tuple[int, int]]) -> bool:
    return any(size > ROLLUP_VALUES for _, size in spans)
