"""Times in a form that a user declares, as `strftime` has it.

Comes in: a column of text, a format, and the zone of times that name none. Goes out: Int64 nanoseconds of Unix time,
null where the text does not fit. A format without a year gets the latest year that is not after the reading;
`%s` is seconds, milliseconds, microseconds or nanoseconds of Unix time by magnitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.parse import timestamp

if TYPE_CHECKING:
    import polars as pl

_YEARS: Final = ("%Y", "%y", "%F", "%D", "%c", "%x", "%G")
_ZONES: Final = ("%z", "%:z", "%#z", "%+")


def formatted(text: pl.Series, form: str, observed_ns: pl.Series, timezone: str) -> pl.Series:
    """Return the times of texts."""
    if form == "%s":
        return timestamp.epoch_text(text)
    if not any(year in form for year in _YEARS) and "%+" not in form:
        shape = timestamp.Shape("declared", r"^(?P<base>.*)$", f"%Y {form.replace('%d', '%e')}", yearless=True)
        return timestamp.parse_shape(shape, text, observed_ns, timezone)
    times = text.str.to_datetime(form, time_unit="ns", strict=False, ambiguous="earliest")
    if not any(zone in form for zone in _ZONES):
        zone = timestamp.zone_name(timezone)
        times = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return times.dt.epoch("ns")
