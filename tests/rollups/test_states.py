"""Partial results: merged from parts they are those of the whole."""

from __future__ import annotations

import math

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.limits import ROLLUP_VALUES
from tailrace.query import sums
from tailrace.rollups import states

numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)


def summed(values: list[float]) -> pl.DataFrame:
    frame = nw.from_native(pl.DataFrame({"v": values}, schema={"v": pl.Float64}))
    return frame.select(**sums.made(nw.col("v"))).to_native()


def total(parts: list[pl.DataFrame]) -> float:
    return pl.concat(parts).select(**sums.MERGED).select(total=sums.total()).item()


@given(st.lists(numbers, min_size=1, max_size=20), st.randoms())
def test_a_sum_does_not_depend_on_order_or_parts(values: list[float], chance) -> None:
    whole = total([summed(values)])
    chance.shuffle(values)
    cut = chance.randint(0, len(values))
    assert total([summed(values[:cut]), summed(values[cut:])]) == whole
    exact = math.fsum(values)
    assert abs(whole - exact) <= 2 * math.ulp(exact) + len(values) * 2.0**-96


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([0.1] * 10, 1.0),
        ([1e15, 0.1, -1e15], 0.1),
        ([-0.1], -0.1),
        ([-1e-10, 1e-10], 0.0),
        ([1e300, 1.0], 1e300),
        ([math.inf, 1.0], math.inf),
        ([2.0**53, 1.0, 1.0], 2.0**53 + 2),
    ],
)
def test_sums(values: list[float], want: float) -> None:
    assert total([summed(values)]) == want


def test_the_sum_with_no_number_is_none() -> None:
    assert math.isnan(total([summed([math.nan, 1.0])]))


def made(kind: str, *rows: tuple[int, float]) -> pl.DataFrame:
    """Return the state of values at times."""
    piece = pl.DataFrame(
        {
            "_time_ns": [at for at, _ in rows],
            "_observed_ns": [0] * len(rows),
            "_offset": [0] * len(rows),
            "_value": [value for _, value in rows],
        }
    )
    return states.made(states.KINDS[kind], piece, [])


def test_moments_of_two_parts_are_those_of_the_whole() -> None:
    parts = pl.concat([made("moments", (1, 2.0), (2, 4.0)), made("moments", (3, 9.0))])
    found = states.merged(states.KINDS["moments"], parts, [])
    # 2, 4, 9: the mean is 5, the squares of the distances are 9, 1 and 16
    assert found.rows() == [(3, 5.0, 26.0)]


def test_a_counter_that_begins_anew_between_two_parts() -> None:
    parts = pl.concat([made("counter", (5, 1.0), (6, 4.0)), made("counter", (1, 7.0), (2, 3.0), (3, 8.0))])
    found = states.merged(states.KINDS["counter"], parts, []).row(0, named=True)
    # 7, 3, 8, 1, 4: it fell from 7 and from 8
    assert (found["count"], found["first"], found["last"], found["drops"]) == (5, 7.0, 4.0, 15.0)
    assert states.by_turns(parts, []).is_empty()
    turned = states.by_turns(pl.concat([parts, made("counter", (4, 1.0), (5, 1.0))]), [])
    assert turned["first_ns"].to_list() == [5]


def test_ends_are_the_earliest_and_the_latest() -> None:
    parts = pl.concat([made("ends", (5, 1.0)), made("ends", (9, 3.0)), made("ends", (2, 2.0))])
    found = states.merged(states.KINDS["ends"], parts, []).row(0, named=True)
    assert (found["first"], found["last"], found["count"]) == (2.0, 3.0, 3)


def test_few_values_are_kept_as_they_are() -> None:
    found = states.merged(states.KINDS["values"], made("values", (1, 2.5), (2, 2.5), (3, -1.0)), [])
    assert sorted(found.rows()) == [(-1.0, 1, False), (2.5, 2, False)]


def test_many_values_become_a_sketch_that_is_off_by_its_error_at_most() -> None:
    values = [float(number) * (-1) ** number for number in range(ROLLUP_VALUES + 1)]
    found = states.merged(states.KINDS["values"], made("values", *enumerate(values)), [])
    assert found["rounded"].all()
    assert found.height < ROLLUP_VALUES / 2
    assert found["times"].sum() == len(values)
    near = sorted(value for value, times in found.select("value", "times").rows() for _ in range(times))
    for exact, value in zip(sorted(values), near, strict=True):
        assert abs(value - exact) <= states.ERROR * abs(exact) * (1 + 1e-9)
