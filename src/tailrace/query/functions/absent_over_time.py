"""`absent_over_time`: 1 where a range has no line, or no value."""

from __future__ import annotations

from typing import ClassVar


class AbsentOverTime:
    """A series where there is nothing, with the labels that the selector's equations name."""

    name: ClassVar[str] = "absent_over_time"
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
