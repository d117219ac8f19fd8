"""Drop some fields; rows and their lines stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tailrace.batch import field_column
from tailrace.contracts import Reduced
from tailrace.reduce.step import Names, StepSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl


class DropFieldsSettings(StepSettings):
    """Drop these fields."""

    type: Literal["drop_fields"] = "drop_fields"
    """The kind of step."""

    fields: Names
    """Names of the fields to drop. The text of the line still holds them, unless `redact` takes them out."""

    def step(self, step_id: str) -> DropFields:
        """Return the step."""
        return DropFields(step_id, self.fields)


class DropFields:
    """See the module."""

    def __init__(self, step_id: str, fields: Iterable[str]) -> None:
        self.id = step_id
        self.rules = ()
        self._columns = tuple(field_column(name) for name in fields)

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return all rows."""
        return Reduced(frame.drop(*self._columns, strict=False))
