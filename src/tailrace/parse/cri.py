"""Kubernetes container logs (CRI): `<time> <stdout|stderr> <tags> <content>`.

Comes in and goes out as `contracts.Parser` says: `_line` is the content, `stream` a field, `_time_ns` the runtime's
stamp. `unwrap` also says in `_final` whether a row ends its record (tag `F`) or goes on in a later one (`P`): the chain
joins them and reads the content with another parser. A line that does not follow the format keeps `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level, timestamp

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "CRIParserErr"
PATTERN: Final = (
    r"^(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (?P<stream>stdout|stderr) "
    r"(?P<tag>[PF])(?::\S*)?(?: |$)"
)
"""The header of a line."""

_SPLIT: Final = (
    r"^(?P<time>[0-9-]{10}T[0-9:]{8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9][0-9]:[0-9][0-9])) (?P<stream>stdout|stderr) "
    r"(?P<tag>[PF])(?::[^ ]*)?(?: (?P<content>.*))?$"
)


class Cri:
    """Takes container lines out of their wrapping."""

    name = "cri"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with their content as plain text."""
        frame = self.unwrap(lines, reading).drop("_final")
        good = pl.col("_error").is_null()
        return frame.with_columns(
            pl.when(good).then(pl.lit("cri")).alias("_format"), level.from_text(frame["_line"]).alias("_level")
        )

    def unwrap(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with content, time, stream, `_final` and `_error`; a malformed row stays as it was."""
        text = lines["_line"]
        parts = groups.extract(text, _SPLIT)
        times = timestamp.iso(parts["time"], reading.timezone)
        good = pl.lit(times.is_not_null())
        frame = lines.with_columns(
            times.alias("_time_ns"),
            pl.when(good).then(pl.lit(parts["stream"])).alias("stream"),
            pl.when(good).then(pl.lit(parts["tag"]) == "F").alias("_final"),
            pl.when(good).then(pl.lit(parts["content"].fill_null(""))).otherwise("_line").alias("_line"),
            pl.when(~good & pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR)).alias("_error"),
        )
        if "_raw" not in lines.columns:
            return frame
        header = pl.lit(
            text.str.len_chars() - parts["content"].fill_null("").str.len_chars()
        )  # all ASCII, so as many bytes
        raw = pl.when(good).then(pl.col("_raw").bin.slice(header)).otherwise("_raw")
        return frame.with_columns(raw.alias("_raw"))
