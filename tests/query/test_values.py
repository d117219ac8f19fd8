"""Numbers as text and text as numbers, over columns; the rules for one text are tested in `test_literals`."""

from __future__ import annotations

import math

import polars as pl
import pytest

from tailrace.query import values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1.5e21, "1500000000000000000000"),
        (100.0, "100"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
    ],
)
def test_a_number_as_text(value, text):
    assert values.float_text(value) == text
    frame = pl.DataFrame({"x": [value, None]}, schema={"x": pl.Float64})
    assert frame.select(values.text(pl.col("x"), pl.Float64()))["x"].to_list() == [text, None]


def read(expression, *texts):
    return pl.DataFrame({"x": [*texts, None]}, schema={"x": pl.String}).select(expression(pl.col("x")))["x"].to_list()


def test_text_as_a_number():
    assert read(values.number, "1", "-1.5e3", "x", "", "5s", " 1") == [1.0, -1500.0, None, None, None, None, None]


def test_text_as_a_duration():
    assert read(values.duration_ns, "1m", "1.5ms", "1d", "5") == [60e9, 1.5e6, None, None, None]
    assert read(values.seconds, "1m", "250ms") == [60.0, 0.25, None]


def test_text_as_bytes():
    assert read(values.byte_count, "1,024 kib", "1.5B", "x") == [1_048_576.0, 1.0, None, None]


def test_a_column_without_values():
    assert read(values.byte_count) == [None]


@pytest.mark.parametrize("rows", [[49.0, 3.0, 6e10, None], [49.0], []])
def test_quotients_are_rounded_once(rows):
    frame = pl.DataFrame({"x": rows}, schema={"x": pl.Float64})
    for divisor in (49.0, 1e9, 3.0):
        found = frame.lazy().select(
            down=values.quotient(pl.col("x"), pl.lit(divisor)), up=values.quotient(pl.lit(divisor), pl.col("x"))
        )
        assert found.collect().rows() == [(None, None) if x is None else (x / divisor, divisor / x) for x in rows]


def test_a_quotient_of_two_columns_and_of_integers():
    frame = pl.DataFrame({"x": [1, 7], "y": [3.0, 49.0]})
    assert frame.select(values.quotient(pl.col("x"), pl.col("y")))["x"].to_list() == [1 / 3, 7 / 49]
