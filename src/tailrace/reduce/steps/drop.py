"""Drop the rows for which a rule holds, that are too old, or too long; all conditions that are given must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
from pydantic import Field, model_validator

from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, StepSettings, keep_only
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from tailrace.contracts import Reduced


class DropSettings(StepSettings):
    """Drop the rows for which every condition that is given holds."""

    type: Literal["drop"] = "drop"
    """The kind of step."""

    where: Condition | None = None
    """Rule that a row must fulfil to be dropped. A row for which it cannot be told stays."""

    older_than_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds between a row's own time and the moment it was read."""

    longer_than_bytes: Annotated[int, Field(ge=0)] | None = None
    """Length of `_line` in UTF-8."""

    @model_validator(mode="after")
    def _something(self) -> DropSettings:
        if self.where is None and self.older_than_s is None and self.longer_than_bytes is None:
            raise Mistake("this would drop every row", "give 'where', 'older_than_s' or 'longer_than_bytes'")
        return self

    def step(self, step_id: str) -> Drop:
        """Return the step."""
        return Drop(step_id, self)


class Drop:
    """See the module."""

    def __init__(self, step_id: str, settings: DropSettings) -> None:
        self.id = step_id
        self.rules = () if settings.where is None else (Rule(settings.where),)
        self._tests: list[pl.Expr] = []
        if settings.older_than_s is not None:
            age_ns = pl.col("_observed_ns") - pl.col("_time_ns")
            self._tests.append(age_ns > round(settings.older_than_s * 1e9))
        if settings.longer_than_bytes is not None:
            self._tests.append(pl.col("_line").str.len_bytes() > settings.longer_than_bytes)

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return the rows that stay."""
        gone = pl.repeat(value=True, n=len(frame), dtype=pl.Boolean, eager=True)
        for rule in self.rules:
            gone &= rule.mask(frame)
        for test in self._tests:
            gone &= frame.select(test.fill_null(value=False)).to_series()
        return keep_only(self.id, frame, ~gone)
