"""Columns from keys and values."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace import limits
from tailrace.parse import pairs

ROWS = pl.Series([0, 1, 2], dtype=pl.UInt32)


def table(*found: tuple[int, str, str]) -> pl.DataFrame:
    return pl.DataFrame(found, schema={"_row": pl.UInt32, "key": pl.String, "value": pl.String}, orient="row")


def test_one_column_per_key_and_one_row_per_line() -> None:
    frame = pairs.spread(table((2, "b", "4"), (0, "a", "1"), (0, "b", "2")), ROWS)
    assert frame.to_dict(as_series=False) == {"b": ["2", None, "4"], "a": ["1", None, None]}


def test_the_first_of_equal_keys_counts_also_when_only_their_columns_are_equal() -> None:
    frame = pairs.spread(table((0, "a.b", "1"), (0, "a.b", "2"), (0, "a_b", "3")), ROWS)
    assert frame.to_dict(as_series=False) == {"a_b": ["1", None, None]}


def test_what_cannot_be_a_column_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FIELD_COLUMNS", 1)
    frame = pairs.spread(table((0, "--", "1"), (0, "x" * 999, "2"), (0, "_a", "3"), (0, "b", "4")), ROWS)
    assert frame.to_dict(as_series=False) == {"__a": ["3", None, None]}


def test_keys_that_come_again_are_lists() -> None:
    found = pairs.lists(table((0, "a", "1"), (0, "b", 'say "x"'), (0, "a", "ä"), (1, "a", "3")))
    assert sorted(found.rows()) == [(0, "a", '["1","ä"]'), (0, "b", 'say "x"'), (1, "a", "3")]


def test_no_pairs() -> None:
    assert pairs.spread(table(), ROWS).columns == []
