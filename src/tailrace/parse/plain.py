"""Plain text: no time of its own, a level if the text names one.

Comes in and goes out as `contracts.Parser` says; every line fits. The one field is `component`, of the lines that
Python's `logging` writes when nobody told it how: `WARNING:shop.orders:slow`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.parse import level
from tailrace.parse.timestamp import no_time

if TYPE_CHECKING:
    from tailrace.contracts import Reading


_PYTHON = r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):([A-Za-z_][A-Za-z0-9_.]*):"


class Plain:
    """Takes any line as it is."""

    name = "plain"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with their level."""
        component = lines["_line"].str.extract(_PYTHON).alias("component")
        return lines.with_columns(
            *no_time(lines),
            *([component] if component.null_count() < len(component) else []),
            pl.lit("plain").alias("_format"),
            level.from_text(lines["_line"]).alias("_level"),
        )
