r"""Syslog, as it stands in files and as it is sent: RFC 3164 and RFC 5424, with and without `<PRI>`.

Comes in and goes out as `contracts.Parser` says. Fields: `hostname`, `app`, `procid`, and with RFC 5424 `msgid` and
`sd` (the structured data as written); `facility` and `severity` when there is a PRI. `_line` stays whole. `-` is null.
A line without a header keeps `_error`, except a blank one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.parse import groups, level, timestamp

if TYPE_CHECKING:
    from tailrace.contracts import Reading

ERROR: Final = "SyslogParserErr"

_PRI: Final = r"(?:<(?P<pri>\d{1,3})>)"
_BSD_TIME: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_ISO_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
BSD: Final = (
    rf"^{_PRI}?(?P<time>{_BSD_TIME}|{_ISO_TIME}) (?P<hostname>[^\s:\[\]]+)"
    r"(?: +(?P<app>[^\s:\[\]]+(?: [^\s:\[\]]+){0,3}?)(?:\[(?P<procid>[^\]\s]{1,64})\])?"
    r"(?: \([^)]*\)(?:\[\d+\])?)?:(?: |$)| )"
)
IETF: Final = (
    rf"^{_PRI}1 (?P<time>-|{_ISO_TIME}) (?P<hostname>\S{{1,255}}) (?P<app>\S{{1,48}}) (?P<procid>\S{{1,128}}) "
    r'(?P<msgid>\S{1,32}) (?P<sd>-|(?:\[[^\s\]="]+(?: [^\s\]="]+="(?:[^"\\\]]|\\.)*")*\])+)(?: |$)'
)
LOOKS: Final = (
    rf"^(?:(?:<\d{{1,3}}>)?{_BSD_TIME} [^\s:\[\]]+ |<\d{{1,3}}>1 \S+ \S|"
    rf"{_ISO_TIME} [^\s:\[\]]+ (?:[^\s:\[\]]+\[\d+\]|kernel): )"
)
"""What a line of either looks like; an ISO time needs a tag, since much else begins with one and a word."""

_FIELDS: Final = ("hostname", "app", "procid", "msgid", "sd", "facility", "severity")


class Syslog:
    """Reads both syslog formats; each line says which one it is."""

    name = "syslog"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with the header's fields, time and level."""
        text = lines["_line"]
        parts = groups.extract(text, BSD)
        if parts["time"].null_count():
            ietf = groups.extract(text, IETF)
            if ietf["time"].null_count() < len(ietf):
                both = pl.col("time").is_null()
                parts = pl.concat([parts, ietf.select(pl.all().name.prefix("i_"))], how="horizontal").select(
                    *(pl.coalesce(name, f"i_{name}") for name in parts.columns),
                    *(pl.when(both).then(f"i_{name}").alias(name) for name in ("msgid", "sd")),
                )
        good = pl.lit(parts["time"].is_not_null())
        pri = pl.col("pri").str.to_integer(strict=False)
        valid = pri.is_between(0, 191)
        fields = parts.with_columns(
            facility=pl.when(valid).then(pri // 8), severity=pl.when(valid).then(pri % 8)
        ).with_columns(
            pl.when(pl.col(name) != "-").then(pl.col(name)).alias(name)
            for name in parts.columns
            if name not in ("pri", "time")
        )
        kept = [fields[name] for name in _FIELDS if name in fields.columns and fields[name].null_count() < len(fields)]
        levels = level.from_value(fields["severity"])
        if levels.null_count():
            levels = levels.zip_with(levels.is_not_null(), level.from_text(text))
        blank = pl.lit(~text.str.contains(r"\S"))
        return lines.with_columns(
            *timestamp.leading_time(lines, parts["time"], reading.timezone),
            *kept,
            levels.alias("_level"),
            pl.when(good).then(pl.lit("syslog")).alias("_format"),
            pl.when(~good & ~blank).then(pl.lit(ERROR)).alias("_error"),
        )
