"""Keep the rows for which a rule holds; all others are dropped, also those for which it cannot be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tailrace.reduce.rules import Rule
from tailrace.reduce.step import Condition, StepSettings, keep_only

if TYPE_CHECKING:
    import polars as pl

    from tailrace.contracts import Reduced


class KeepSettings(StepSettings):
    """Keep the rows for which the rule holds and drop all others."""

    type: Literal["keep"] = "keep"
    """The kind of step."""

    where: Condition
    """Rule that a row must fulfil. A row for which it cannot be told, because a value is missing, is dropped."""

    def step(self, step_id: str) -> Keep:
        """Return the step."""
        return Keep(step_id, Rule(self.where))


class Keep:
    """See the module."""

    def __init__(self, step_id: str, rule: Rule) -> None:
        self.id = step_id
        self.rules = (rule,)

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return the rows for which the rule holds."""
        return keep_only(self.id, frame, self.rules[0].mask(frame))
