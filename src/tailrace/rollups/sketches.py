"""How many different values there are, of states that become one: exact up to a cap, then a sketch. Pure.

A value is known by its hash of 64 bits; up to `ROLLUP_VALUES` of them are kept as they are, of a bucket and label set.
Where there are more, a HyperLogLog takes their place: the first 12 bits of a hash name one of 4,096 registers, which
keeps the highest place of the first one among the bits behind them. Its count is off by `ERROR` as a rule (a standard
deviation), twice that once in twenty times, however many values there are. The estimate is Ertl's, which needs no
correction for few values and no other way of counting there.

The hash must never change, since states of years ago are merged with those of today. It is splitmix64's mixing function
`mix`, over the bytes of a text in words of eight, little-endian, the last one filled up with zeros:
`h = mix(length)`, then `h = mix(h ^ word)` for each word. Of several labels the text is `name=length:value` of each
that is there, by name.

Frames have a row per value: `item`, its hash, or a register if it is `rounded`; and `rank`, what the register keeps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import ROLLUP_VALUES
from tailrace.query.samples import LABEL

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

REGISTERS: Final = 4_096

ERROR: Final = 1.04 / math.sqrt(REGISTERS)
"""Standard deviation of a count of a sketch, relative to it."""

_BITS: Final = 52  # of a hash, behind those that name the register
_WORD: Final = 8
_TERMS: Final = 20  # of `_empty`: the last one is below 1e-100 for any share of empty registers but all
_STEPS: Final = ((2**30, 0xBF58476D1CE4E5B9), (2**27, 0x94D049BB133111EB))
_GAMMA: Final = 0x9E3779B97F4A7C15


def items(piece: pl.DataFrame, counted: Collection[str], keys: Sequence[str]) -> pl.DataFrame:
    """Return the states of label sets: what is `counted` of their labels is hashed; `keys` are the other columns."""
    texts = piece.select(text=_text([name for name in sorted(counted) if LABEL + name in piece.columns]))["text"]
    found = piece.select(*keys, hashes(texts).reinterpret(signed=True).alias("item"))
    return found.unique().with_columns(rank=pl.lit(None, pl.Int64), rounded=pl.lit(value=False))


def _text(names: Sequence[str]) -> pl.Expr:
    """Return label sets as texts, none of which two of them have."""
    columns = ((name, pl.col(LABEL + name)) for name in names)
    parts = [pl.format("{}={}:{}", pl.lit(name), column.str.len_bytes(), column) for name, column in columns]
    return pl.concat_str(parts, ignore_nulls=True) if parts else pl.repeat("", pl.len())


def hashes(texts: pl.Series) -> pl.Series:
    """Return the hash of each text.

    >>> [hex(number) for number in hashes(pl.Series(["", "a"]))]
    ['0xe220a8397b1dcdaf', '0x5e025f9ade9eaf3e']
    """
    size = texts.str.len_bytes().cast(pl.UInt64)
    text = (texts + "\0" * (_WORD - 1)).cast(pl.Binary)
    left = pl.DataFrame({"text": text, "size": size}).with_row_index("row").with_columns(hash=_mix(pl.col("size")))
    done, at = [left.select("row", "hash").clear()], 0
    while left.height:
        done.append(left.filter(pl.col("size") <= at).select("row", "hash"))
        word = pl.col("text").bin.slice(at, _WORD).bin.reinterpret(dtype=pl.UInt64, endianness="little")
        left = left.filter(pl.col("size") > at).with_columns(hash=_mix(pl.col("hash") ^ word))
        at += _WORD
    return pl.concat(done).sort("row")["hash"]


def _mix(number: pl.Expr) -> pl.Expr:
    """Return splitmix64's output for a state, which mixes all bits of it."""
    mixed = number + pl.lit(_GAMMA, pl.UInt64)
    for shift, factor in _STEPS:
        mixed = (mixed ^ (mixed // shift)) * pl.lit(factor, pl.UInt64)
    return mixed ^ (mixed // 2**31)


def rounded(states: pl.DataFrame, keys: Sequence[str], *, bounded: bool) -> pl.DataFrame:
    """Return states whose values are all exact, or all of a sketch: if one was, or if `bounded` and there are many."""
    many = pl.col("rounded").any() | (pl.len() > ROLLUP_VALUES if bounded else pl.lit(value=False))
    if not states["rounded"].any() and (not bounded or states.height <= ROLLUP_VALUES):
        return states
    crowded = states.with_columns(_many=many.over(keys) if keys else many)
    exact, number = pl.col("_many") & ~pl.col("rounded"), pl.col("item").reinterpret(signed=False)
    rest = number % 2**_BITS
    sketched = crowded.with_columns(
        item=pl.when(exact).then((number // 2**_BITS).cast(pl.Int64)).otherwise("item"),
        rank=pl.when(exact).then(rest.bitwise_leading_zeros().cast(pl.Int64) - (63 - _BITS)).otherwise("rank"),
        rounded=pl.col("rounded") | pl.col("_many"),
    )
    return sketched.group_by([*keys, "item", "rounded"]).agg(pl.col("rank").max())


def counts(states: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the number of values of each key as `value`."""
    empty = 1 - pl.len() / REGISTERS
    sketch = REGISTERS**2 / (2 * math.log(2)) / (pl.lit(2.0).pow(-pl.col("rank")).sum() + REGISTERS * _empty(empty))
    value = pl.when(pl.col("rounded").any()).then(sketch.round()).otherwise(pl.len().cast(pl.Float64))
    return states.group_by(keys).agg(value=value)


def _empty(share: pl.Expr) -> pl.Expr:
    """Return what empty registers add to the sum: `x + x**2 + 2 x**4 + 4 x**8 + …` of their share x."""
    found = share
    for term in range(1, _TERMS + 1):
        found = found + share.pow(2.0**term) * 2.0 ** (term - 1)
    return found
