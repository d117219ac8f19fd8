"""`rate`: lines per second of the range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Input


class Rate:
    """Lines in the range, divided by its seconds."""

    name: ClassVar[str] = "rate"
    inputs: ClassVar[frozenset[Input]] = frozenset({"lines"})
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
