"""Partial results of range aggregations: what of the lines of a bucket is kept, how two become one, what it says. Pure.

| kind | of | kept | merged |
|---|---|---|---|
| lines | count_over_time, rate | lines | + |
| bytes | bytes_over_time, bytes_rate | lines, bytes | + |
| sum | sum_over_time, avg_over_time, rate | values, their sum as whole numbers (`sums`) | + |
| extremes | min_over_time, max_over_time | values, lowest, highest | least, greatest; NaN if there is nothing else |
| moments | stddev_over_time, stdvar_over_time | values, mean, sum of squared distances to it | pairwise |
| ends | first_over_time, last_over_time | first and last value with their place in reading order | earlier, later |
| counter | rate_counter | the same, values, what resets took away | + and the reset between two |
| values | quantile_over_time | each value and how often, up to `ROLLUP_VALUES`; beyond, a sketch | + |
| distinct | count of sum by (…) | hashes of labels' values, up to `ROLLUP_VALUES`; beyond, a sketch | all of them |

Numbers of lines and bytes, sums, lowest and highest, first and last do not depend on how lines are parted: they are the
same to the last bit. Moments are the same up to rounding. A sketch is `ERROR` off its values at most, and is marked.

Frames have the columns of a state beside columns that are its key; a state of `values` has a row per value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final  # Any: a type made for a seam of types

import polars as pl

from tailrace.limits import ROLLUP_VALUES
from tailrace.query import functions, sums, values
from tailrace.query.functions.rate_counter import extrapolated
from tailrace.rollups import sketches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.query.functions.contract import Taken
    from tailrace.query.needs import Needs
    from tailrace.query.syntax import RangeAggregation

DISTINCT: Final = "distinct"
"""Name of the kind that counts different values, see `sketches`."""

ERROR: Final = 0.005
"""How far a value of a sketch is off at most, relative to the value."""

_GAMMA: Final = (1 + ERROR) / (1 - ERROR)
_PLACE: Final = ("_time_ns", "_observed_ns", "_offset")
_FIRST: Final = ("first_ns", "first_seen_ns", "first_offset")
_LAST: Final = ("last_ns", "last_seen_ns", "last_offset")

COLUMNS: Final[Mapping[str, pl.DataType]] = {
    "lines": pl.Int64(),
    "bytes": pl.Int64(),
    "count": pl.Int64(),
    **sums.COLUMNS,
    "low": pl.Float64(),
    "high": pl.Float64(),
    "mean": pl.Float64(),
    "squares": pl.Float64(),
    **dict.fromkeys(_FIRST, pl.Int64()),
    "first": pl.Float64(),
    **dict.fromkeys(_LAST, pl.Int64()),
    "last": pl.Float64(),
    "drops": pl.Float64(),
    "value": pl.Float64(),
    "times": pl.Int64(),
    "item": pl.Int64(),
    "rank": pl.Int64(),
    "rounded": pl.Boolean(),
}
"""The columns of all kinds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What partial results are made of: columns, made of values or of totals by `made`, two made one by `merged`."""

    name: str
    columns: tuple[str, ...]
    made: tuple[pl.Expr, ...]
    merged: tuple[pl.Expr, ...]
    ordered: bool = False  # lines must be in reading order to make it, and rows in the order of `_FIRST` to merge it
    totals: tuple[str, ...] = ()  # of unwrapped values, if these are enough
    keys: tuple[str, ...] = ()  # columns that are part of the key
    whole: bool = False  # lines that come by turns in time must be taken together

    @property
    def taken(self) -> type[Taken]:
        """What it takes of unwrapped values."""
        names: dict[str, Any] = {"totals": self.totals, "ordered": self.ordered}
        return type("_Taken", (), names)


def _sum(*names: str) -> tuple[pl.Expr, ...]:
    return tuple(pl.col(name).sum() for name in names)


def _earliest() -> tuple[pl.Expr, ...]:
    """Return the first end of states in order."""
    return tuple(pl.col(name).first() for name in (*_FIRST, "first"))


def _ends_of_lines() -> tuple[pl.Expr, ...]:
    """Return both ends of values in reading order."""
    sources = (*_PLACE, "_value")
    first = (pl.col(s).first().alias(n) for s, n in zip(sources, (*_FIRST, "first"), strict=True))
    last = (pl.col(s).last().alias(n) for s, n in zip(sources, (*_LAST, "last"), strict=True))
    return (*first, *last)


def _latest() -> tuple[pl.Expr, ...]:
    """Return the last end of states, whatever their order."""
    return tuple(pl.col(name).sort_by(_LAST, nulls_last=False).last() for name in (*_LAST, "last"))


_VALUE: Final = pl.col("_value")
_BEFORE: Final = _VALUE.shift(1)
_SEAM: Final = pl.col("last").shift(1)
_N: Final = pl.col("count")
_MEAN: Final = (_N * pl.col("mean")).sum() / _N.sum()
_ENDS: Final = (*_FIRST, "first", *_LAST, "last")
_COUNTED: Final = pl.len().cast(pl.Int64).alias("count")

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("lines", ("lines",), (), _sum("lines")),
        Kind("bytes", ("lines", "bytes"), (), _sum("lines", "bytes")),
        Kind(
            "sum",
            ("count", *sums.COLUMNS),
            (pl.col("_count").alias("count"), *map(pl.col, sums.COLUMNS)),
            (*_sum("count"), *sums.MERGED.values()),
            totals=tuple(sums.COLUMNS),
        ),
        Kind(
            "extremes",
            ("count", "low", "high"),
            (pl.col("_count").alias("count"), pl.col("_min").alias("low"), pl.col("_max").alias("high")),
            (*_sum("count"), pl.col("low").min(), pl.col("high").max()),
            totals=("_min", "_max"),
        ),
        Kind(
            "moments",
            ("count", "mean", "squares"),
            (_COUNTED, _VALUE.mean().alias("mean"), (_VALUE.var(ddof=0) * pl.len()).alias("squares")),
            (
                *_sum("count"),
                _MEAN.alias("mean"),
                pl.col("squares").sum() + (_N * (pl.col("mean") - _MEAN) ** 2).sum(),
            ),
        ),
        Kind(
            "ends",
            ("count", *_ENDS),
            (_COUNTED, *_ends_of_lines()),
            (*_sum("count"), *_earliest(), *_latest()),
            ordered=True,
        ),
        Kind(
            "counter",
            ("count", *_ENDS, "drops"),
            (_COUNTED, *_ends_of_lines(), _BEFORE.filter(_BEFORE > _VALUE).sum().alias("drops")),
            (
                *_sum("count"),
                *_earliest(),
                *_latest(),
                pl.col("drops").sum() + _SEAM.filter(pl.col("first") < _SEAM).sum(),
            ),
            ordered=True,
            whole=True,
        ),
        Kind(
            "values",
            ("value", "times", "rounded"),
            (pl.len().cast(pl.Int64).alias("times"),),
            (*_sum("times"), pl.col("rounded").any()),
            keys=("value",),
        ),
        Kind(DISTINCT, ("item", "rank", "rounded"), (), (pl.col("rank").max(),), keys=("item", "rounded")),
    )
}
"""All kinds by name."""

_OF_VALUES: Final = {
    "sum_over_time": "sum",
    "avg_over_time": "sum",
    "rate": "sum",
    "min_over_time": "extremes",
    "max_over_time": "extremes",
    "stddev_over_time": "moments",
    "stdvar_over_time": "moments",
    "first_over_time": "ends",
    "last_over_time": "ends",
    "rate_counter": "counter",
    "quantile_over_time": "values",
}


def kind_of(aggregation: RangeAggregation, needs: Needs) -> str:
    """Return the name of the kind that a range aggregation is made from."""
    if needs.counted:
        return DISTINCT
    if aggregation.range.unwrap:
        return _OF_VALUES[aggregation.function]
    return functions.LINES[aggregation.function].measure


def made(kind: Kind, piece: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the states of unwrapped values, or of totals of them, as `query.unwrapped.pieces` yields them."""
    if kind.totals:
        return piece.select(*keys, *kind.made)
    if kind.ordered:
        piece = piece.sort(_PLACE, maintain_order=True)
    if kind.keys:
        piece = piece.rename({"_value": "value"})
    by = [*keys, *kind.keys]
    found = piece.group_by(by).agg(kind.made) if by else piece.select(kind.made).filter(pl.col("count") > 0)
    return found.with_columns(rounded=pl.lit(value=False)) if kind.keys else found


def merged(kind: Kind, states: pl.DataFrame, keys: Sequence[str], *, bounded: bool = True) -> pl.DataFrame:
    """Return one state for each key; without being `bounded` what is exact stays so, however much it is."""
    if kind.ordered:
        states = states.sort(_FIRST, maintain_order=True)
    by = [*keys, *kind.keys]
    if by:
        found = states.group_by(by).agg(kind.merged)
    else:
        found = states.select(kind.merged) if states.height else states.select(kind.columns)
    if kind.name == DISTINCT:
        return sketches.rounded(found, keys, bounded=bounded)
    return rounded(found, keys) if kind.keys and bounded else found


def rounded(states: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return states of `values`, those with too many different values as sketches."""
    many = pl.len() > ROLLUP_VALUES
    if states.height <= ROLLUP_VALUES:
        return states
    crowded = states.with_columns(_many=many.over(keys) if keys else many)
    if not crowded["_many"].any():
        return states
    size = pl.col("value").abs()
    near = pl.lit(_GAMMA).pow((size.log() / math.log(_GAMMA)).ceil()) * (1 - ERROR) * pl.col("value").sign()
    able = pl.col("_many") & pl.col("value").is_finite() & (pl.col("value") != 0)
    crowded = crowded.with_columns(
        value=pl.when(able).then(near).otherwise("value"), rounded=pl.col("rounded") | pl.col("_many")
    )
    return crowded.group_by([*keys, "value"]).agg(pl.col("times").sum(), pl.col("rounded").any())


def by_turns(states: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return the states that cannot become one with another of their key: lines of both come by turns in time."""
    turned = pl.col("last_ns").shift(1) >= pl.col("first_ns")
    return states.sort(_FIRST, maintain_order=True).filter(turned.over(keys) if keys else turned)


def valued(aggregation: RangeAggregation, whole: pl.DataFrame, labels: Sequence[str]) -> pl.DataFrame:
    """Return `step` and `value` of windows from their states; not of lines, bytes and values."""
    if aggregation.function != "rate_counter":
        return whole.select(*labels, "step", value=_value_of(aggregation).cast(pl.Float64))
    one = {name: pl.col(name).first() for name in KINDS["counter"].columns}  # of groups of one row
    increase = one["last"] - one["first"] + one["drops"]
    ends = (one["first_ns"], one["first"])
    rate = extrapolated(one["count"], increase, ends, one["last_ns"], aggregation.range.range_ns)
    return whole.group_by(*labels, "step").agg(value=rate.cast(pl.Float64))


def _value_of(aggregation: RangeAggregation) -> pl.Expr:
    values_of = {
        "sum_over_time": sums.total(),
        "rate": values.quotient(sums.total(), pl.lit(aggregation.range.range_ns / 1e9)),
        "avg_over_time": sums.total() / _N,
        "min_over_time": pl.col("low"),
        "max_over_time": pl.col("high"),
        "stdvar_over_time": pl.col("squares") / _N,
        "stddev_over_time": (pl.col("squares") / _N).sqrt(),
        "first_over_time": pl.col("first"),
        "last_over_time": pl.col("last"),
    }
    return values_of[aggregation.function]
