"""Seeded chance as Polars expressions: the same rows on every machine, whatever the chunking.

A value depends on the seed, its lane (the name of what is drawn) and its row number only: SplitMix64 of the three,
which Polars computes on whole columns. Polars' own `hash` and `sample` promise no stability between versions.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW: Final = "row"
"""Column of the row number, UInt64, that a frame has to have."""

SLOTS: Final = 4096
"""Resolution of weighted choices: a value of the smallest weight still gets one slot."""

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MIXERS: Final = ((1 << 30, 0xBF58476D1CE4E5B9), (1 << 27, 0x94D049BB133111EB))
_HEX: Final = pl.Series([f"{n:04x}" for n in range(1 << 16)])


def _u64(value: int) -> pl.Expr:
    return pl.lit(value % (1 << 64), pl.UInt64)


@dataclass(frozen=True, slots=True)
class Dice:
    """Draws columns for the rows of a frame that has `ROW`."""

    seed: int

    def bits(self, lane: str) -> pl.Expr:
        """Return 64 random bits a row."""
        start = int.from_bytes(hashlib.sha256(f"{self.seed}/{lane}".encode()).digest()[:8], "little")
        x = pl.col(ROW) * _u64(_GOLDEN) + _u64(start)
        for divisor, factor in _MIXERS:
            x = (x ^ (x // divisor)) * _u64(factor)
        return x ^ (x // (1 << 31))

    def below(self, lane: str, bound: int | pl.Expr) -> pl.Expr:
        """Return an integer from 0 to `bound` - 1."""
        return (self.bits(lane) // 2048) % bound  # the upper bits are the better ones

    def unit(self, lane: str) -> pl.Expr:
        """Return a float in (0, 1]."""
        return (self.bits(lane) // 2048 + 1).cast(pl.Float64) / float(1 << 53)

    def pick(self, lane: str, values: Sequence[str | int], weights: Sequence[float] | None = None) -> pl.Expr:
        """Return one of the values, by weight (equal if none are given)."""
        return pl.lit(pl.Series(values)).gather(self.index(lane, weights or [1.0] * len(values)))

    def index(self, lane: str, weights: Sequence[float]) -> pl.Expr:
        """Return the index of one of the weights, each as often as its share, to 1 in `SLOTS`."""
        total, slots = sum(weights), []
        for place, weight in enumerate(weights):
            slots += [place] * max(1, round(SLOTS * weight / total))
        return pl.lit(pl.Series(slots, dtype=pl.UInt32)).gather(self.below(lane, len(slots)))

    def hexadecimal(self, lane: str, digits: int) -> pl.Expr:
        """Return a text of lower-case hexadecimal digits; `digits` is a multiple of four, at most 32."""
        words = [self.bits(f"{lane}/{half}") // (1 << shift) for half in range(2) for shift in (0, 16, 32, 48)]
        table = pl.lit(_HEX)
        return pl.concat_str(table.gather(word % (1 << 16)) for word in words[: digits // 4])


def zipf(count: int, exponent: float = 1.0) -> list[float]:
    """Return weights 1, 1/2, 1/3 …: how often the first, second, third … of many things is seen."""
    return [1 / (rank + 1) ** exponent for rank in range(count)]
