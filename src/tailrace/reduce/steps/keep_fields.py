"""Keep some fields and drop the others, `_more` with them; rows and their lines stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tailrace.batch import field_column, is_field
from tailrace.contracts import Reduced
from tailrace.reduce.step import Names, StepSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl


class KeepFieldsSettings(StepSettings):
    """Keep these fields and drop the others."""

    type: Literal["keep_fields"] = "keep_fields"
    """The kind of step."""

    fields: Names
    """Names of the fields to keep."""

    def step(self, step_id: str) -> KeepFields:
        """Return the step."""
        return KeepFields(step_id, self.fields)


class KeepFields:
    """See the module."""

    def __init__(self, step_id: str, fields: Iterable[str]) -> None:
        self.id = step_id
        self.rules = ()
        self._columns = {field_column(name) for name in fields}

    def apply(self, frame: pl.DataFrame, now_ns: int) -> Reduced:  # noqa: ARG002  of the seam
        """Return all rows."""
        gone = [name for name in frame.columns if is_field(name) and name not in self._columns]
        return Reduced(frame.drop(*gone, "_more", strict=False))
