"""`max`: the largest sample of each group of series."""

from __future__ import annotations

from typing import ClassVar


class Max:
    """Largest sample; skips NaN."""

    name: ClassVar[str] = "max"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
