"""`sum`: the sum of each group of series."""

from __future__ import annotations

from typing import ClassVar


class Sum:
    """Sum; NaN if a sample is NaN."""

    name: ClassVar[str] = "sum"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
