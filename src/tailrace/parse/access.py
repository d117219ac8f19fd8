r"""Access logs: NCSA common and combined, as Apache, nginx and many others write them.

Comes in and goes out as `contracts.Parser` says. Fields: `host ident user method path proto request status bytes referer
agent`; `-` is null and `""` an empty text; escapes stay as written. `method`, `path` and `proto` are null when the
request is no request line. `_line` stays whole. More fields behind the agent are tolerated, a line cut short,
two records on one line, or a date that does not exist are not: they keep `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import timestamp

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "AccessParserErr"

PATTERN: Final = (
    r"^(?P<host>\S+) (?P<ident>\S+) (?P<user>[^\[\"]+?) "
    r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    rf'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{{3}}) (?P<bytes>\d+|-)'
    rf'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"(?: .*)?)?\s*$'
)
"""A line of either format; groups are the fields and `time`."""

_REQUEST: Final = r"^(?P<method>[A-Za-z][A-Za-z_-]*) (?P<path>\S.*?)(?: (?P<proto>HTTP/\d(?:\.\d)?))?$"
_NULLS: Final = ("ident", "user", "request", "bytes", "referer", "agent")
_OUT: Final = ("host", "ident", "user", "method", "path", "proto", "request", "status", "bytes", "referer", "agent")


class Access:
    """Reads common and combined access logs."""

    name = "access"

    def parse(self, lines: pl.DataFrame, reading: Reading) -> pl.DataFrame:
        """Return the rows with the fields of the request."""
        groups = lines["_line"].str.extract_groups(PATTERN).struct.unnest()
        times = timestamp.parse_shape(timestamp.CLF, groups["time"], lines["_observed_ns"], reading.timezone)
        dash = [pl.when(pl.col(name) != "-").then(pl.col(name)).alias(name) for name in _NULLS]
        request = pl.col("request").str.extract_groups(_REQUEST).struct.unnest()
        good = pl.lit(times.is_not_null())
        fields = groups.with_columns(dash).with_columns(request)
        fields = fields.with_columns(pl.col("status", "bytes").str.to_integer(strict=False))
        fields = fields.select(pl.when(good).then(pl.col(name)).alias(name) for name in _OUT)
        blank = ~lines["_line"].str.contains(r"\S")
        kept = [series for series in fields.get_columns() if series.null_count() < len(series)]
        given = "_time_ns" in lines.columns
        return lines.with_columns(
            *([] if given else [times.alias("_time_ns")]),
            *kept,
            pl.when(good).then(pl.lit("access")).alias("_format"),
            pl.when(~good & ~pl.lit(blank)).then(pl.lit(ERROR)).alias("_error"),
        )
