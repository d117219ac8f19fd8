"""Summaries of many values in little room that can be added to each other: quantiles, and how many differ.

`Quantiles` is DDSketch (Masson, Rim and Lee, VLDB 2019): values are counted in buckets whose borders grow by the factor
(1 + a) / (1 - a), so every quantile is right within the relative error a = 1 %. `Distinct` is HyperLogLog (Flajolet and
others, 2007) with 2,048 registers: a standard error of 2.3 %, exact for a few values.

Which bucket or register a value falls into is computed in columns; what is added up here is one number per bucket.
Both are plain dictionaries, so they are JSON as they are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

Counts = dict[str, int]
"""Bucket or register to its number; the keys are text, as in JSON."""

ERROR: Final = 0.01
"""Relative error of a quantile."""

_GAMMA: Final = (1 + ERROR) / (1 - ERROR)
_LEAST: Final = 1e-9  # what is nearer to zero counts as zero
_BUCKETS: Final = 4_096  # of one sign; covers 35 powers of ten
_POWER: Final = 11
_REGISTERS: Final = 1 << _POWER
_ALPHA: Final = 0.7213 / (1 + 1.079 / _REGISTERS)


def bucket(number: pl.Expr) -> pl.Expr:
    """Return the bucket of each number as Int64: 0 for zero, positive and negative ones for the two signs."""
    size = number.abs()
    index = (size.log(_GAMMA)).ceil().cast(pl.Int64, strict=False)
    index = (index + _BUCKETS // 2).clip(1, _BUCKETS)
    return pl.when(size < _LEAST).then(0).when(number > 0).then(index).otherwise(-index)


def quantile(counts: Mapping[str, int], share: float) -> float | None:
    """Return the value below which a share of the counted values lies; None of nothing."""
    total = sum(counts.values())
    if not total:
        return None
    rank = share * (total - 1)
    seen = 0
    for index in sorted(map(int, counts)):
        seen += counts[str(index)]
        if seen > rank:
            return _middle(index)
    return None


def _middle(index: int) -> float:
    if index == 0:
        return 0.0
    size = 2 * _GAMMA ** (abs(index) - _BUCKETS // 2) / (_GAMMA + 1)
    return size if index > 0 else -size


def register(hashed: pl.Expr) -> pl.Expr:
    """Return the register of each hash (UInt64)."""
    return hashed // pl.lit(1 << (64 - _POWER), pl.UInt64)


def rank(hashed: pl.Expr) -> pl.Expr:
    """Return the place of the first bit that is set, from 1, among the bits below the register's."""
    rest = hashed * pl.lit(_REGISTERS, pl.UInt64)  # what overflows is the register
    return rest.bitwise_leading_zeros().clip(0, 64 - _POWER).cast(pl.Int64) + 1


def distinct(registers: Mapping[str, int]) -> int:
    """Return about how many different hashes there were."""
    empty = _REGISTERS - len(registers)
    total = empty + math.fsum(2.0**-place for place in registers.values())
    estimate = _ALPHA * _REGISTERS * _REGISTERS / total
    if estimate <= 2.5 * _REGISTERS and empty:
        return round(_REGISTERS * math.log(_REGISTERS / empty))
    return round(estimate)
