"""Sums of floats that do not depend on the order of what is summed: kept as whole numbers. Pure.

A value is cut into five digits of 32 bits, from 2**63 down to 2**-96, each summed for itself in 64 bits: exactly, in
any order, for up to 2**31 values. What a value has below 2**-96 is cut off. What is larger than 2**62, infinite or no
number is summed as it is, in `rest`. The sum that is read is off by less than two units in its last place.
"""

from __future__ import annotations

from typing import Final

import narwhals as nw
import polars as pl

DIGITS: Final = ("sum4", "sum3", "sum2", "sum1", "sum0")
"""The digits, highest first."""

COLUMNS: Final = {**dict.fromkeys(DIGITS, pl.Int64()), "rest": pl.Float64()}
"""The columns of a sum."""

_DIGIT: Final = 2.0**32
_LARGE: Final = 2.0**62

MERGED: Final = {name: pl.col(name).sum() for name in COLUMNS}
"""Sums of several sums."""


def made(value: nw.Expr) -> dict[str, nw.Expr]:
    """Return the sums of values: each step is exact, since it cuts at a power of two.

    Each digit is cut from the value itself: expressions of digits within digits double in size with each.
    """
    small = value.abs() < _LARGE
    size = nw.when(small).then(value.abs()).otherwise(0.0)
    sign = nw.when(value < 0).then(-1).otherwise(1)
    sums = {DIGITS[0]: ((size * _DIGIT**-1).cast(nw.Int64) * sign).sum()}
    for place, name in enumerate(DIGITS[1:]):
        moved = size * _DIGIT ** (place - 1)
        sums[name] = (((moved - moved.floor()) * _DIGIT).cast(nw.Int64) * sign).sum()
    return {**sums, "rest": nw.when(~small).then(value).otherwise(0.0).sum()}


def total() -> pl.Expr:
    """Return the sum that the columns say."""
    digits = [pl.col(name) for name in DIGITS]
    sign = pl.when(_carried(digits)[0] < 0).then(-1).otherwise(1)  # else the last bits of small ones would be lost
    found = _carried([digit * sign for digit in digits])
    parts = [digit.cast(pl.Float64) * _DIGIT ** (1 - place) for place, digit in enumerate(found)]
    sum_ = parts[-1]
    for part in parts[-2::-1]:  # smallest first
        sum_ = sum_ + part
    return sum_ * sign + pl.col("rest")


def _carried(digits: list[pl.Expr]) -> list[pl.Expr]:
    """Return the digits with all but the highest between 0 and 2**32."""
    found, carry = [], pl.lit(0, pl.Int64)
    for digit in digits[:0:-1]:
        whole = digit + carry
        found.append(whole & (2**32 - 1))
        carry = whole.floordiv(2**32)
    return [digits[0] + carry, *found[::-1]]
