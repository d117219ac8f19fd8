"""Text whose lines begin with a time, in any shape of `stamp_shapes`, and the usual parts of a header behind it.

Comes in and goes out as `contracts.Parser` says. Fields, where a line has them: `pid`, `tid`, `thread`, `component`
(see `header`), `class`, `file` and `line` of a place in code; `node`, `location`, `type`, `state` of supercomputers;
what single products write (`products`; Squid's accesses, those of buckets).
`_line` stays whole. The level is the header's, else the first word in the line that names one. A line without a time
(a stack trace, a continued message) is no error: it stays, without a time of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.parse import header, level, products

if TYPE_CHECKING:
    from tailrace.contracts import Reading


class Timestamped:
    """Reads the time at the start of each line and the header behind it."""

    name = "timestamped"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with time, level and the header's fields; the line stays whole."""
        found = header.read(lines, reading.timezone)
        text = lines["_line"]
        levels = found["_level"] if "_level" in found.columns else None
        if levels is None:
            levels = level.from_text(text)
        elif levels.null_count():
            rows = levels.is_null().arg_true()
            levels = levels.scatter(rows, level.from_text(text[rows]))
        levels = levels.replace(products.NO_LEVEL, None)
        kept = [found[name] for name in found.columns if not name.startswith("_")]
        return lines.with_columns(
            *([] if "_time_ns" in lines.columns else [found["_time_ns"]]),
            *(series for series in kept if series.null_count() < len(series)),
            levels.alias("_level"),
            pl.lit("timestamped").alias("_format"),
        )
