r"""Access logs: NCSA common and combined, as Apache, nginx and many others write them.

Comes in and goes out as `contracts.Parser` says. Fields: `host ident user method path proto request status bytes
referer agent`, and `vhost` where `name:port` stands in front of the host; `-` is null and `""` an empty text; escapes
stay as written. `method`, `path` and `proto` are null when the request is no request line. `_line` stays whole. More
fields behind the agent are tolerated, a line cut short, two records on one line, or a date that does not exist are
not: they keep `_error`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, timestamp

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "AccessParserErr"

PATTERN: Final = (
    r"^(?:(?P<vhost>[A-Za-z0-9.-]+:[0-9]{1,5}) )?(?P<host>\S+) (?P<ident>\S+) (?P<user>\"\"|[^\[\"]+?) "
    r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<bytes>\d+|-)'
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)"(?: .*)?)?\s*$'
)
"""A line of either format; groups are the fields and `time`."""

USUAL: Final = (
    r"^(?P<host>[^ ]+) (?P<ident>[^ ]+) (?P<user>[^ \[\"]+) \[(?P<time>[^\]]{26})\] "
    r'"(?P<request>(?P<method>[A-Za-z]+) (?P<path>[^ "\\]+) (?P<proto>HTTP/[0-9](?:\.[0-9])?))" '
    r"(?P<status>[0-9][0-9][0-9]) (?P<bytes>[0-9]+|-)"
    r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<agent>(?:[^"\\]|\\.)*)")?$'
)
"""The way of almost all lines, unambiguous at every character; what it does not match gets the general pattern."""

_REQUEST: Final = r"^(?P<method>[A-Za-z][A-Za-z_-]*) (?P<path>\S.*?)(?: (?P<proto>HTTP/\d(?:\.\d)?))?$"
_NULLS: Final = ("ident", "request", "bytes", "referer", "agent")


class Access:
    """Reads common and combined access logs."""

    name = "access"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the fields of the request."""
        fields = _fields(lines["_line"])
        time = fields.drop_in_place("time")
        times = timestamp.parse_shape(timestamp.CLF, time, lines["_observed_ns"], reading.timezone)
        good = pl.lit(times.is_not_null())
        if times.null_count():
            fields = fields.select(pl.when(good).then(pl.col(name)).alias(name) for name in fields.columns)
        kept = [series for series in fields.get_columns() if series.null_count() < len(series)]
        given = "_time_ns" in lines.columns
        return lines.with_columns(
            *([] if given else [times.alias("_time_ns")]),
            *kept,
            pl.when(good).then(pl.lit("access")).alias("_format"),
            pl.when(~good & pl.col("_line").str.contains(r"\S")).then(pl.lit(ERROR)).alias("_error"),
        )


def _fields(text: pl.Series) -> pl.DataFrame:
    """Return the fields and `time` of the lines, `-` as null."""
    fields = groups.extract(text, USUAL)
    odd = fields["host"].is_null().arg_true()
    if len(odd):
        whole = groups.extract(text[odd], PATTERN)
        request = groups.extract(whole["request"], _REQUEST)
        names = [*fields.columns, *([] if whole["vhost"].null_count() == len(whole) else ["vhost"])]
        rest = pl.concat([whole, request], how="horizontal").select(names)
        usual = fields["host"].is_not_null().arg_true()
        fields = pl.concat([fields[usual], rest], how="diagonal")[pl.concat([usual, odd]).arg_sort()]
    dash = [pl.when(pl.col(name) != "-").then(pl.col(name)).alias(name) for name in _NULLS]
    dash.append(pl.col("user").replace(["-", '""'], None))  # Apache quotes the empty one
    return fields.with_columns(dash).with_columns(pl.col("status", "bytes").str.to_integer(strict=False))
