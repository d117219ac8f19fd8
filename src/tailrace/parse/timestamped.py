"""Plain text whose lines begin with a time, in any shape of `timestamp`.

Comes in and goes out as `contracts.Parser` says. A line without a time (a stack trace, a continued message)
is no error: it stays, without a time of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.parse import level, timestamp

if TYPE_CHECKING:
    from tailrace.contracts import Reading

_KLOG = r"^([IWEFD])\d{4} \d\d:\d\d:\d\d\."


class Timestamped:
    """Reads the time at the start of each line and the level in it."""

    name = "timestamped"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with time and level; the line stays whole."""
        text = lines["_line"]
        letter = level.from_letter(text.str.extract(_KLOG, 1))
        words = level.from_text(text)
        return lines.with_columns(
            *timestamp.leading_time(lines, text, reading.timezone),
            pl.lit("timestamped").alias("_format"),
            (words if letter.null_count() == len(letter) else letter.zip_with(letter.is_not_null(), words)).alias(
                "_level"
            ),
        )
