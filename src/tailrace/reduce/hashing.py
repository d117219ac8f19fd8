"""Hashes that are the same for ever, on any machine: what is sampled today is sampled tomorrow.

Texts are hashed by BLAKE2b, once per distinct text; numbers are mixed by SplitMix64 in columns. (Polars' own hash may
change with its version.)
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

SPAN: Final = 1 << 64
"""How many hashes of 64 bits there are."""

_GOLDEN: Final = 0x9E3779B97F4A7C15
_FIRST: Final = 0xBF58476D1CE4E5B9
_SECOND: Final = 0x94D049BB133111EB


@lru_cache(maxsize=65_536)
def text_hash(text: str) -> int:
    """Return 64 bits of a text.

    >>> text_hash("web")
    8401084237428129872
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def by_distinct(column: pl.Series, function: Callable[[str], object], dtype: pl.DataType) -> pl.Series:
    """Return a function of each text, called once per distinct text; null stays null."""
    distinct = column.drop_nulls().unique()
    if len(distinct) == 1 and not column.null_count():  # one stream, as most frames have it
        return pl.Series(column.name, [function(distinct.item())], dtype=dtype).new_from_index(0, len(column))
    table = pl.DataFrame({"text": distinct, "value": pl.Series([function(text) for text in distinct], dtype=dtype)})
    joined = column.alias("text").to_frame().join(table, on="text", how="left", maintain_order="left")
    return joined["value"].alias(column.name)


def text_hashes(column: pl.Series) -> pl.Series:
    """Return 64 bits of each text, as UInt64."""
    return by_distinct(column, text_hash, pl.UInt64())


def mixed(number: pl.Expr) -> pl.Expr:
    """Return a UInt64 mixed so that every bit of it depends on every bit that went in (SplitMix64, Steele 2014)."""
    number = number + _u64(_GOLDEN)
    number = (number ^ (number // _u64(1 << 30))) * _u64(_FIRST)
    number = (number ^ (number // _u64(1 << 27))) * _u64(_SECOND)
    return number ^ (number // _u64(1 << 31))


def _u64(number: int) -> pl.Expr:
    return pl.lit(number, pl.UInt64)
