"""`count_over_time`: how many lines each series had in the range."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Input


class CountOverTime:
    """Lines in the range."""

    name: ClassVar[str] = "count_over_time"
    inputs: ClassVar[frozenset[Input]] = frozenset({"lines"})
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
