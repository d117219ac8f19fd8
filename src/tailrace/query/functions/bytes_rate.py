"""`bytes_rate`: bytes of lines per second of the range, after the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tailrace.query.functions.contract import Input


class BytesRate:
    """Bytes of the lines in the range, divided by its seconds."""

    name: ClassVar[str] = "bytes_rate"
    inputs: ClassVar[frozenset[Input]] = frozenset({"lines"})
    grouping: ClassVar[bool] = False
    parameter: ClassVar[str] = ""
