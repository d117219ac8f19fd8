"""The ways to write a time at the start of a line, as anchored patterns.

A `Shape` has groups `base` (date and time down to the second) and maybe `frac` (digits of the fraction), `ms` (a number
of milliseconds), `zone` and `year`; `timestamp` turns them into nanoseconds. Digits are ASCII, months and
days English, whatever the locale. A date that can be read in two ways (`03/04/2026`) is no shape, except with AM or
PM, which only one of its readers writes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FRACTION: Final = r"(?:[.,](?P<frac>[0-9]{1,9})[0-9]*)?"
_ZONE: Final = r"(?: ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2}(?-u:\b)))?"
_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_CLOCK_12: Final = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M"
MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY: Final = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_ISO_DAY: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_SLASH_DAY: Final = "[0-9]{4}/[0-9]{2}/[0-9]{2}"
_EPOCH_S: Final = "(?P<base>[0-9]{9,10})"


@dataclass(frozen=True, slots=True)
class Shape:
    """One way to write a time at the start of a text."""

    name: str
    pattern: str  # anchored; groups base, frac, ms, zone, year
    format: str  # of the group `base` (with `year` behind it); empty: seconds since 1970
    yearless: bool = False

    @property
    def simple(self) -> str:
        """The pattern without a zone and without more than nine digits of fraction: unambiguous, so faster."""
        return self.pattern.replace(_ZONE, "").replace("{1,9})[0-9]*", "{1,9})")


SHAPES: Final = (
    Shape("iso", rf"^\[?(?P<base>{_ISO_DAY}[T ]{_CLOCK}){_FRACTION}{_ZONE}", "%Y-%m-%d %H:%M:%S"),
    Shape("slash", rf"^\[?(?P<base>{_SLASH_DAY} {_CLOCK}){_FRACTION}{_ZONE}", "%Y/%m/%d %H:%M:%S"),
    Shape("short_slash", rf"^\[?(?P<base>[0-9]{{2}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}){_FRACTION}", "%y/%m/%d %H:%M:%S"),
    Shape("compact", r"^(?P<base>[0-9]{6} [0-9]{6})(?-u:\b)", "%y%m%d %H%M%S"),
    Shape("basic", rf"^(?P<base>[0-9]{{8}}T[0-9]{{6}}){_FRACTION}{_ZONE}", "%Y%m%dT%H%M%S"),
    Shape("clf", rf"^\[?(?P<base>[0-9]{{2}}/{MONTH}/[0-9]{{4}}:{_CLOCK}){_FRACTION}{_ZONE}", "%d/%b/%Y:%H:%M:%S"),
    Shape(
        "ctime",  # of C, of Apache with a fraction, of date(1) with a zone
        rf"^\[?{_DAY} (?P<base>{MONTH} [ 0-9][0-9] {_CLOCK}){_FRACTION}(?: (?P<zone>[A-Z]{{3,5}}))?"
        r"(?P<year> [0-9]{4})(?-u:\b)",
        "%b %e %H:%M:%S %Y",
    ),
    Shape(
        "rfc2822", rf"^{_DAY}, (?P<base>[0-9]?[0-9] {MONTH} [0-9]{{4}} {_CLOCK}){_FRACTION}{_ZONE}", "%d %b %Y %H:%M:%S"
    ),
    Shape(
        "klog",
        rf"^(?P<letter>[IWEFD])(?P<base>[0-9]{{4}} {_CLOCK})\.(?P<frac>[0-9]{{6}})(?-u:\b)",
        "%Y %m%d %H:%M:%S",
        True,
    ),
    Shape(
        "glog", rf"^(?P<letter>[IWEFD])(?P<base>[0-9]{{8}} {_CLOCK})\.(?P<frac>[0-9]{{6}})(?-u:\b)", "%Y%m%d %H:%M:%S"
    ),
    # Android's logcat.
    Shape(
        "month_day", rf"^(?P<base>[0-9]{{2}}-[0-9]{{2}} {_CLOCK})\.(?P<frac>[0-9]{{3,9}}) ", "%Y %m-%d %H:%M:%S", True
    ),
    Shape("dot_day", rf"^\[(?P<base>[0-9]{{2}}\.[0-9]{{2}} {_CLOCK})\]", "%Y %m.%d %H:%M:%S", True),
    # Numbers are not padded, milliseconds neither: `20171223-0:5:9:41|`.
    Shape(
        "unpadded",
        r"^(?P<base>[0-9]{8}-[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}):(?P<ms>[0-9]{1,3})(?-u:\b)",
        "%Y%m%d-%H:%M:%S",
    ),
    # DB2 and Blue Gene.
    Shape(
        "dashes",
        rf"^(?P<base>{_ISO_DAY}-[0-9]{{2}}\.[0-9]{{2}}\.[0-9]{{2}})\.(?P<frac>[0-9]{{6}})",
        "%Y-%m-%d-%H.%M.%S",
    ),
    Shape("dots", rf"^\[?(?P<base>[0-9]{{4}}\.[0-9]{{2}}\.[0-9]{{2}} {_CLOCK}){_FRACTION}", "%Y.%m.%d %H:%M:%S"),
    Shape("day_dots", rf"^\[?(?P<base>[0-9]{{2}}\.[0-9]{{2}}\.[0-9]{{4}} {_CLOCK}){_FRACTION}", "%d.%m.%Y %H:%M:%S"),
    Shape(
        "day_month",  # PHP names the zone as a place
        rf"^\[?(?P<base>[0-9]{{2}}-{MONTH}-[0-9]{{4}} {_CLOCK}){_FRACTION}{_ZONE}"
        r"(?: (?P<place>[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_+0-9-]+)+))?",
        "%d-%b-%Y %H:%M:%S",
    ),
    Shape("day_name", rf"^(?P<base>[0-9]{{1,2}} {MONTH} [0-9]{{4}} {_CLOCK}){_FRACTION}{_ZONE}", "%d %b %Y %H:%M:%S"),
    # With the process and its role in front of it, a mark of the level behind.
    Shape(
        "redis",
        rf"^(?P<pid>[0-9]{{1,10}}):(?P<role>[A-Z]) (?P<base>[0-9]{{1,2}} {MONTH} [0-9]{{4}} {_CLOCK}){_FRACTION}",
        "%d %b %Y %H:%M:%S",
    ),
    Shape("month_comma", rf"^(?P<base>{MONTH} [0-9]{{1,2}}, [0-9]{{4}} {_CLOCK_12})(?-u:\b)", "%b %d, %Y %I:%M:%S %p"),
    Shape("month_year", rf"^(?P<base>{MONTH} [ 0-9]?[0-9] [0-9]{{4}} {_CLOCK}){_FRACTION}", "%b %e %Y %H:%M:%S"),
    Shape(
        "american", rf"^\[?(?P<base>[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{4}} {_CLOCK_12})(?-u:\b)", "%m/%d/%Y %I:%M:%S %p"
    ),
    # Ruby's logger; the hour of MySQL's relatives, which is not padded.
    Shape("ruby", rf"^[DIWEFA], \[(?P<base>{_ISO_DAY}T{_CLOCK}){_FRACTION}", "%Y-%m-%d %H:%M:%S"),
    Shape("blank_hour", rf"^(?P<base>{_ISO_DAY}  [0-9]:[0-9]{{2}}:[0-9]{{2}})(?-u:\b)", "%Y-%m-%d %k:%M:%S"),
    # Squid's accesses, and those of S3 buckets.
    Shape(
        "squid",
        r"^(?P<base>[0-9]{10})\.(?P<frac>[0-9]{3}) +(?P<elapsed>[0-9]+) (?P<host>[^ ]+) (?P<result>[A-Z_]+)/"
        r"(?P<status>[0-9]{3}) (?P<bytes>[0-9]+) (?P<method>[A-Z_]+) (?P<path>[^ ]+) (?P<user>[^ ]+) "
        r"(?P<hierarchy>[A-Z_]+)/(?P<peer>[^ ]+) (?P<type>[^ ]+)",
        "",
    ),
    Shape(
        "bucket",
        rf"^[0-9a-f]{{64}} (?P<bucket>[^ ]+) \[(?P<base>[0-9]{{2}}/{MONTH}/[0-9]{{4}}:{_CLOCK}){_ZONE}\]",
        "%d/%b/%Y:%H:%M:%S",
    ),
    # Behind a label of the line: the logs of supercomputers, with an alert category, or a number, node and state.
    Shape("label_epoch", rf"^(?:-|[A-Z][A-Z0-9_]{{1,19}}) {_EPOCH_S} [0-9]{{4}}\.[0-9]{{2}}\.[0-9]{{2}} ", ""),
    Shape(
        "node_epoch",
        rf"^[0-9]{{1,10}} (?P<node>[^ ]+) (?P<component>[^ ]+) (?P<state>[^ ]+) {_EPOCH_S} [0-9]+(?: |$)",
        "",
    ),
    # After one word, as `update-alternatives 2026-01-02 03:04:05: …`, `Start-Date: 2026-01-02  03:04:05` of apt, or the
    # file that a line was taken from.
    Shape(
        "after_word",
        rf"^[A-Za-z][A-Za-z0-9_.:/-]{{0,80}} (?P<base>{_ISO_DAY}(?:T|  ?){_CLOCK}){_FRACTION}{_ZONE}",
        "%Y-%m-%d %H:%M:%S",
    ),
    Shape("weekday", rf"^{_DAY} (?P<base>{MONTH} [ 0-9]?[0-9] {_CLOCK}){_FRACTION}(?-u:\b)", "%Y %b %e %H:%M:%S", True),
    Shape("syslog", rf"^(?P<base>{MONTH} [ 0-9]?[0-9] {_CLOCK}){_FRACTION}(?-u:\b)", "%Y %b %e %H:%M:%S", True),
)
"""The shapes, commonest first."""

BY_NAME: Final = {shape.name: shape for shape in SHAPES}
ISO: Final = BY_NAME["iso"]
CLF: Final = BY_NAME["clf"]


def without_groups(pattern: str) -> str:
    """Return a pattern whose named groups are no groups, for tests that only ask whether it fits."""
    return re.sub(r"\?P<[a-z_0-9]+>", "?:", pattern)


LEADING: Final = without_groups("|".join(f"(?:{shape.pattern})" for shape in SHAPES))
"""One pattern that tells whether a text starts with any of the shapes."""
