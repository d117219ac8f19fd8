"""Plain text: no time of its own, a level if the text names one.

Comes in and goes out as `contracts.Parser` says; every line fits. Fields: `component` of the lines that Python's
`logging` writes when nobody told it how (`WARNING:shop.orders:slow`) and of .NET's console (`warn: Shop.Orders[12]`);
`uptime`, the seconds of the kernel's ring buffer (`[   12.345678] usb 1-1: …`), which tell no time of day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.parse import groups, level
from tailrace.parse.outcome import empty
from tailrace.parse.timestamp import no_time

if TYPE_CHECKING:
    from tailrace.contracts import Reading


_PYTHON = r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL):(?P<python>[A-Za-z_][A-Za-z0-9_.]*):"
_DOTNET = r"(?P<dotnet_level>trce|dbug|info|warn|fail|crit): (?P<dotnet>[A-Za-z_][A-Za-z0-9_.]*)\[[0-9]+\]\s*$"
_KERNEL = r"(?:<(?P<priority>[0-9]{1,3})>)?\[ *(?P<uptime>[0-9]{1,10}\.[0-9]{6})\]"
_ZEROLOG = r"[0-9]{1,2}:[0-9]{2}[AP]M (?P<zerolog>TRC|DBG|INF|WRN|ERR|FTL|PNC) "
_HEADER = rf"^(?:{_PYTHON}|{_DOTNET}|{_KERNEL}|{_ZEROLOG})"
_SEVERITIES = 8


class Plain:
    """Takes any line as it is."""

    name = "plain"

    def parse(self, lines: pl.DataFrame, reading: Reading, data: bytes | None = None) -> pl.DataFrame:  # noqa: ARG002  the seam
        """Return the rows with their level."""
        text = lines["_line"]
        levels, fields = level.from_text(text), []
        rows = text.str.contains(_HEADER).arg_true()
        if len(rows):
            found = groups.extract(text[rows], _HEADER)
            own = _levels(found)
            levels = levels.scatter(rows, own.zip_with(own.is_not_null(), levels[rows]))
            component = empty(pl.String, len(text)).scatter(
                rows, found.select(pl.coalesce("python", "dotnet")).to_series()
            )
            uptime = empty(pl.Float64, len(text)).scatter(rows, found["uptime"].cast(pl.Float64))
            both = (component.alias("component"), uptime.alias("uptime"))
            fields = [series for series in both if series.null_count() < len(series)]
        return lines.with_columns(*no_time(lines), *fields, pl.lit("plain").alias("_format"), levels.alias("_level"))


def _levels(found: pl.DataFrame) -> pl.Series:
    """Return the levels that the headers say."""
    words = level.from_value(found.select(pl.coalesce("dotnet_level", "zerolog")).to_series())
    severity = found["priority"].str.to_integer(strict=False) % _SEVERITIES
    return words.zip_with(words.is_not_null(), level.from_value(severity))
