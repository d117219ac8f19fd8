"""`min`: the smallest sample of each group of series."""

from __future__ import annotations

from typing import ClassVar


class Min:
    """Smallest sample; skips NaN."""

    name: ClassVar[str] = "min"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
