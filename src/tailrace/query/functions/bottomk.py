"""`bottomk`: the k smallest series of each group, at every step."""

from __future__ import annotations

from typing import ClassVar


class Bottomk:
    """The k smallest, with their full labels."""

    name: ClassVar[str] = "bottomk"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = "how many series, a positive integer"
