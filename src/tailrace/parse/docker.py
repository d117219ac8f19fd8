r"""Docker's json-file logs: one object per line with `log`, `stream`, `time` and maybe `attrs`.

Comes in and goes out as `contracts.Parser` says: `_line` is `log` without its newline, `stream` and `attrs_*` are
fields, `_time_ns` is the runtime's stamp. `unwrap` also says in `_final` whether a row ends its record: only the last
part's `log` ends in a newline. A line that is no such object keeps `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import level, timestamp
from tailrace.parse.json_decode import Decoder

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "DockerParserErr"
_OWN: Final = ("log", "stream", "time")


class Docker:
    """Takes container lines out of their wrapping; remembers the shape of `attrs`."""

    name = "docker"

    def __init__(self) -> None:
        self._decoder = Decoder()

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with their content as plain text."""
        frame = self.unwrap(lines, reading).drop("_final")
        good = pl.col("_error").is_null()
        return frame.with_columns(
            pl.when(good).then(pl.lit("docker")).alias("_format"), level.from_text(frame["_line"]).alias("_level")
        )

    def unwrap(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with content, time, stream, `_final` and `_error`; a malformed row stays as it was."""
        text = lines["_line"]
        rows = text.str.contains(r'"log"\s*:\s*"').arg_true()  # a number is no content, even if other rows have text
        if not len(rows):
            return _malformed(lines)
        decoded = self._decoder.decode(text[rows])
        if not {"log", "stream", "time"} <= set(decoded.fields.columns):
            return _malformed(lines)
        spread = pl.int_range(len(text), dtype=pl.UInt32, eager=True).to_frame("row")
        fields = spread.join(
            decoded.fields.with_columns(rows.cast(pl.UInt32).alias("row")), on="row", how="left", maintain_order="left"
        ).drop("row")
        times = timestamp.iso(fields["time"], reading.timezone)
        good = pl.lit(times.is_not_null() & fields["stream"].is_in(["stdout", "stderr"]) & fields["log"].is_not_null())
        log = pl.lit(fields["log"])
        extra = [
            pl.when(good).then(pl.lit(series)).alias(series.name)
            for series in fields.get_columns()
            if series.name not in _OWN and series.null_count() < len(series)
        ]
        return lines.with_columns(
            pl.when(good).then(pl.lit(times)).alias("_time_ns"),
            pl.when(good).then(pl.lit(fields["stream"])).alias("stream"),
            pl.when(good).then(log.str.ends_with("\n")).alias("_final"),
            pl.when(good).then(log.str.strip_suffix("\n").str.strip_suffix("\r")).otherwise("_line").alias("_line"),
            pl.when(~good & pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR)).alias("_error"),
            *extra,
        )


def _malformed(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the rows as they are, none of them a container's line."""
    return lines.with_columns(
        pl.lit(None, pl.Int64).alias("_time_ns"),
        pl.lit(None, pl.String).alias("stream"),
        pl.lit(None, pl.Boolean).alias("_final"),
        pl.when(pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR)).alias("_error"),
    )
