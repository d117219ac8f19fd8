"""Keep one row of so many, always the same ones.

Whether a row is kept is decided by a hash of its key, so that all rows of one request are kept or none; without a
key by a hash of the row's place: its stream and its offset. Kept rows say in a field for how many rows they stand, so
that sums over it stay right on average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import polars as pl
from pydantic import Field

from tailrace.contracts import Reduced
from tailrace.reduce.hashing import SPAN, mixed, text_hashes
from tailrace.reduce.names import key_texts
from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, Names, StepSettings, divided, dropped

if TYPE_CHECKING:
    from collections.abc import Sequence

WEIGHT: Final = "sample_weight"


class SampleSettings(StepSettings):
    """Keep one row of `rate`, always the same ones."""

    type: Literal["sample"] = "sample"
    """The kind of step."""

    rate: Annotated[float, Field(ge=1)]
    """One row of so many is kept: 10 keeps a tenth."""

    key: Names | None = None
    """Names of fields or labels: rows with the same values are kept together or dropped together. Without it each row
    is decided for itself."""

    where: Condition | None = None
    """Rule for the rows that are sampled; all others stay as they are."""

    keep: Condition | None = "level in ('error', 'fatal')"
    """Rule for rows that are always kept, with the weight 1."""

    weight: Annotated[str, Field(min_length=1)] | None = WEIGHT
    """Field that says for how many rows a kept row stands. An earlier sample's weight is multiplied."""

    def step(self, step_id: str) -> Sample:
        """Return the step."""
        return Sample(step_id, self)


class Sample:
    """See the module."""

    def __init__(self, step_id: str, settings: SampleSettings) -> None:
        self.id = step_id
        self._where = None if settings.where is None else Rule(settings.where)
        self._keep = None if settings.keep is None else Rule(settings.keep)
        self.rules: Sequence[Rule] = [rule for rule in (self._where, self._keep) if rule is not None]
        self._settings = settings
        self._below = min(SPAN - 1, int(SPAN / settings.rate))

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return the rows that were kept."""
        every = pl.repeat(value=True, n=len(frame), dtype=pl.Boolean, eager=True)
        concerned = every if self._where is None else self._where.mask(frame)
        always = ~every if self._keep is None else self._keep.mask(frame)
        chosen = self._hashes(frame) < self._below if self._settings.rate > 1 else every
        stays = ~concerned | always | chosen
        kept, gone = divided(frame, stays)
        return Reduced(self._weighed(kept, concerned.filter(stays), always.filter(stays)), dropped(self.id, gone))

    def _hashes(self, frame: pl.DataFrame) -> pl.Series:
        if self._settings.key is not None:
            return text_hashes(key_texts(frame, self._settings.key)).fill_null(0)
        place = pl.coalesce("_offset", "_time_ns") if "_offset" in frame.columns else pl.col("_time_ns")
        streams = text_hashes(frame["_stream"]).fill_null(0)
        return (
            frame.select(place.cast(pl.UInt64, wrap_numerical=True))
            .with_columns(_s=streams)
            .select(mixed(pl.nth(0) ^ pl.col("_s")))
            .to_series()
        )

    def _weighed(self, frame: pl.DataFrame, concerned: pl.Series, always: pl.Series) -> pl.DataFrame:
        name = self._settings.weight
        if name is None:
            return frame
        rate = int(self._settings.rate) if self._settings.rate.is_integer() else self._settings.rate
        before = pl.col(name).fill_null(1) if name in frame.columns and frame.schema[name].is_numeric() else pl.lit(1)
        weight = pl.when(always).then(before).when(concerned).then(before * rate)
        other = pl.col(name) if name in frame.columns and frame.schema[name].is_numeric() else pl.lit(None)
        number = pl.Int64 if isinstance(rate, int) else pl.Float64
        return frame.with_columns(pl.when(concerned).then(weight).otherwise(other).cast(number).alias(name))
