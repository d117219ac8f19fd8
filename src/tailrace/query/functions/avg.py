"""`avg`: the mean of each group of series."""

from __future__ import annotations

from typing import ClassVar


class Avg:
    """Arithmetic mean."""

    name: ClassVar[str] = "avg"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
