"""`count`: how many series each group has."""

from __future__ import annotations

from typing import ClassVar


class Count:
    """Number of series."""

    name: ClassVar[str] = "count"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = ""
