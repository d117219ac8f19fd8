"""No rule fails at run time, whatever types the columns have that it names."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

from tailrace.reduce.rules import Rule

COLUMNS = {
    "int": pl.Series([1, None, -(2**62)], dtype=pl.Int64),
    "float": pl.Series([1.5, float("nan"), float("inf")], dtype=pl.Float64),
    "text": pl.Series(["1", None, "x"], dtype=pl.String),
    "bool": pl.Series([True, None, False], dtype=pl.Boolean),
    "null": pl.Series([None, None, None], dtype=pl.Null),
    "bytes": pl.Series([b"1", None, b"\xff"], dtype=pl.Binary),
}
RULES = [
    *(f"a {op} {value}" for op in ("=", "!=", "<", ">=") for value in ("1", "1.5", "'1'", "b", "b + 1", "lower(b)")),
    *(f"{name}(a) = b" for name in ("lower", "upper", "trim", "length", "abs", "floor", "ceil", "round")),
    *(f"a {op} b = a" for op in ("+", "-", "*", "/", "%")),
    "a = true",
    "a is not false and not b",
    "a or b",
    "a in (1, 2.5)",
    "a in ('1', 'x', 3, true)",
    "a between b and 3",
    "a like '1%' or a ilike '%_%' or a =~ '1' or a starts_with '1' or ends_with(a, 'x')",
    "substr(a, 1, 1) = substr(b, 1)",
    "coalesce(a, b, 'none') = coalesce(b, 1)",
    "round(a, 2) > -b",
    "a is null or b is not null",
    "(a > 1) = (b > 1)",
    "'1' = a and 1 < a",
]


@pytest.mark.parametrize("text", RULES)
def test_any_types(text: str) -> None:
    rule = Rule(text)
    for (_, a), (_, b) in itertools.product(COLUMNS.items(), COLUMNS.items()):
        mask = rule.mask(pl.DataFrame({"a": a, "b": b}))
        assert mask.dtype == pl.Boolean
        assert mask.null_count() == 0
        assert len(mask) == 3
