"""Give fields other names. The envelope keeps its names, and labels belong to the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import polars as pl
from pydantic import Field, field_validator

from tailrace.batch import field_column
from tailrace.contracts import Reduced
from tailrace.reduce.step import StepSettings
from tailrace.settings import Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping


class RenameSettings(StepSettings):
    """Give fields other names."""

    type: Literal["rename"] = "rename"
    """The kind of step."""

    fields: Annotated[dict[str, str], Field(min_length=1)]
    """Old name to new name. Where a row has both, the new name keeps its own value."""

    @field_validator("fields")
    @classmethod
    def _each_once(cls, value: dict[str, str]) -> dict[str, str]:
        for old, new in value.items():
            if not new or new in value:
                raise Mistake(f"{old!r} cannot become {new!r}", "each name is old or new, and not both", (old,))
        if len(set(value.values())) < len(value):
            raise Mistake("two fields would get one name")
        return value

    def step(self, step_id: str) -> Rename:
        """Return the step."""
        return Rename(step_id, self.fields)


class Rename:
    """See the module."""

    def __init__(self, step_id: str, fields: Mapping[str, str]) -> None:
        self.id = step_id
        self.rules = ()
        self._names = {field_column(old): field_column(new) for old, new in fields.items()}

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return all rows."""
        here = {old: new for old, new in self._names.items() if old in frame.columns}
        both = {old: new for old, new in here.items() if new in frame.columns}
        for old, new in both.items():
            kinds = {frame.schema[old], frame.schema[new]}
            parts = [pl.col(name) if len(kinds) == 1 else pl.col(name).cast(pl.String) for name in (new, old)]
            frame = frame.with_columns(pl.coalesce(parts).alias(new))
        frame = frame.drop(both).rename({old: new for old, new in here.items() if old not in both})
        return Reduced(frame)
