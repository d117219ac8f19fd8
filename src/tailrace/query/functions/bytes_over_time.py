"""`bytes_over_time`: how many bytes the lines of each series had in the range, after the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Input


class BytesOverTime:
    """Bytes of the lines in the range."""

    name: ClassVar[str] = "bytes_over_time"
    inputs: ClassVar[frozenset[Input]] = frozenset({"lines"})
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
