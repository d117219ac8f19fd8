"""`topk`: the k largest series of each group, at every step."""

from __future__ import annotations

from typing import ClassVar


class Topk:
    """The k largest, with their full labels."""

    name: ClassVar[str] = "topk"
    grouping: ClassVar[bool] = True
    parameter: ClassVar[str] = "how many series, a positive integer"
