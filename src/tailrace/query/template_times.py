r"""Times in templates, by Go's layouts: `2006-01-02T15:04:05Z07:00` is how the reference time is written.

Pure arithmetic on nanoseconds since 1970, for any year from 0 to 9999. Zones are names of the IANA database; a zone
that is not known is UTC, as upstream.

>>> format_time(1_700_000_000_123_000_000, "Mon Jan _2 15:04:05.000 MST 2006")
'Tue Nov 14 22:13:20.123 UTC 2023'
>>> parse_time("2006-01-02T15:04:05Z07:00", "2023-11-14T23:13:20.5+01:00")
1700000000500000000
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND: Final = 1_000_000_000
_DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
_YEAR_0: Final = 366  # days of the year 0, which Python's dates have not
ZERO_NS: Final = -62_135_596_800 * SECOND
"""The first moment of the year 1: what a text that is no time is read as."""

_MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_PART: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|01|02|03|04|05|06|15|PM|pm"
    r"|Z070000|Z07:00:00|Z0700|Z07:00|Z07|-070000|-07:00:00|-0700|-07:00|-07|[.,](?:0+|9+)(?![0-9])|[12345]"
)
_DIGITS: Final = {
    "2006": r"\d{4}", "06": r"\d{2}", "01": r"\d{2}", "1": r"\d{1,2}", "02": r"\d{2}", "2": r"\d{1,2}",
    "_2": r" ?\d{1,2}", "__2": r" {0,2}\d{1,3}", "002": r"\d{3}", "15": r"\d{1,2}", "03": r"\d{2}", "3": r"\d{1,2}",
    "04": r"\d{2}", "4": r"\d{1,2}", "05": r"\d{2}", "5": r"\d{1,2}",
}  # fmt: skip
_FIELDS: Final = {
    "2006": "year", "06": "short_year", "01": "month", "1": "month", "02": "day", "2": "day", "_2": "day",
    "__2": "yearday", "002": "yearday", "15": "hour", "03": "hour12", "3": "hour12", "04": "minute", "4": "minute",
    "05": "second", "5": "second",
}  # fmt: skip


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """Return the zone of a name, UTC for one that is not known."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def format_time(ns: int, layout: str) -> str:
    """Write a time in UTC by a layout."""
    days, second = divmod(ns // SECOND, _DAY)
    year, month, day, yearday = _civil(days)
    hour, minute, second = second // 3600, second // 60 % 60, second % 60
    half = (hour - 1) % 12 + 1
    texts = {
        "January": _MONTHS[month - 1], "Jan": _MONTHS[month - 1][:3],
        "Monday": _DAYS[(days + 3) % 7], "Mon": _DAYS[(days + 3) % 7][:3], "MST": "UTC",
        "2006": f"{year:04}", "06": f"{year % 100:02}", "01": f"{month:02}", "1": str(month),
        "02": f"{day:02}", "2": str(day), "_2": f"{day:2}", "002": f"{yearday:03}", "__2": f"{yearday:3}",
        "15": f"{hour:02}", "03": f"{half:02}", "3": str(half), "04": f"{minute:02}", "4": str(minute),
        "05": f"{second:02}", "5": str(second), "PM": "PM" if hour > 11 else "AM", "pm": "pm" if hour > 11 else "am",  # noqa: PLR2004  noon
        "-07": "+00", "-0700": "+0000", "-07:00": "+00:00", "-070000": "+000000", "-07:00:00": "+00:00:00",
    }  # fmt: skip

    def one(found: re.Match[str]) -> str:
        part = found[0]
        if part[0] in ".,":
            digits = f"{ns % SECOND:09}"[: len(part) - 1]
            return part[0] + digits if part[1] == "0" else (part[0] + digits.rstrip("0")).rstrip(part[0])
        return "Z" if part[0] == "Z" else texts[part]

    return _PART.sub(one, layout)


def _civil(days: int) -> tuple[int, int, int, int]:
    """Return year, month, day and day of the year of a day since 1970."""
    ordinal = days + _EPOCH
    if ordinal < 1:  # the year 0, a leap year like 4
        found = date.fromordinal(max(ordinal, 1 - _YEAR_0) + _YEAR_0 + date(4, 1, 1).toordinal() - 1)
        return 0, found.month, found.day, found.timetuple().tm_yday
    found = date.fromordinal(min(ordinal, date.max.toordinal()))
    return found.year, found.month, found.day, found.timetuple().tm_yday


@lru_cache(maxsize=256)
def _pattern(layout: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Return the expression of a layout, and what each of its groups is."""
    pieces: list[str] = []
    groups: list[str] = []
    at = 0
    for found in _PART.finditer(layout):
        pieces.append(re.escape(layout[at : found.start()]))
        at = found.end()
        part = found[0]
        if part in _DIGITS:
            groups.append(_FIELDS[part])
            pieces.append(f"({_DIGITS[part]})")
        elif part in ("January", "Jan"):
            groups.append("name")
            pieces.append(f"({'|'.join(name if part == 'January' else name[:3] for name in _MONTHS)})")
        elif part in ("Monday", "Mon"):
            pieces.append(f"(?:{'|'.join(name if part == 'Monday' else name[:3] for name in _DAYS)})")
        elif part in ("PM", "pm"):
            groups.append("half")
            pieces.append("(AM|PM|am|pm)")
        elif part == "MST":
            groups.append("abbreviation")
            pieces.append("([A-Z]{3,5}|[+-][0-9]{2,4})")
        elif part[0] in ".,":
            groups.append("fraction")
            pieces.append(rf"[.,]([0-9]{{{len(part) - 1}}})" if part[1] == "0" else r"(?:[.,]([0-9]+))?")
        else:
            groups.append("offset")
            colon = ":" if ":" in part else ""
            seconds = f"{colon}[0-9]{{2}}" if len(part) > 7 or part == "-070000" else ""  # noqa: PLR2004  `Z07:00:00`
            minutes = f"{colon}[0-9]{{2}}" if len(part) > 3 else ""  # noqa: PLR2004  `-07`
            number = rf"[+-][0-9]{{2}}{minutes}{seconds}"
            pieces.append(f"(Z|{number})" if part[0] == "Z" else f"({number})")
        behind = _PART.match(layout, at)
        if part in ("05", "5") and not (behind and behind[0][0] in ".,"):  # Go reads a fraction that no layout shows
            groups.append("fraction")
            pieces.append(r"(?:[.,]([0-9]+))?")
    pieces.append(re.escape(layout[at:]))
    return re.compile("".join(pieces), re.ASCII | re.IGNORECASE), tuple(groups)


def parse_time(layout: str, text: str, where: tzinfo = UTC) -> int | None:
    """Read a time by a layout; one without an offset is in the zone `where`. None if the text does not fit."""
    pattern, groups = _pattern(layout)
    match = pattern.fullmatch(text)
    if match is None:
        return None
    parts = {group: value for group, value in zip(groups, match.groups(), strict=True) if value is not None}
    number = {name: int(value) for name, value in parts.items() if value.strip().isdigit()}
    hour = number.get("hour", number.get("hour12", 0))
    if "half" in parts:
        hour = hour % 12 + 12 * (parts["half"].lower() == "pm")
    day = _day(number, parts.get("name", ""))
    minute, second = number.get("minute", 0), number.get("second", 0)
    if day is None or hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004  of a clock
        return None
    seconds = day * _DAY + hour * 3600 + minute * 60 + second
    fraction = int(parts.get("fraction", "0")[:9].ljust(9, "0"))
    offset = _offset(parts["offset"]) if "offset" in parts else None
    if offset is None:
        named = parts.get("abbreviation")
        offset = 0 if named else _local(seconds, where)
    return (seconds - offset) * SECOND + fraction


def _day(number: dict[str, int], name: str) -> int | None:
    """Return the day since 1970, None for one that no calendar has; what is not written is the first of the year 0."""
    year = number.get("year", 0)
    if "short_year" in number:
        year = number["short_year"] + (1900 if number["short_year"] >= 69 else 2000)  # noqa: PLR2004  as Go
    month = number.get("month", 1)
    if name:
        month = next(place for place, known in enumerate(_MONTHS, 1) if known[:3].lower() == name[:3].lower())
    shift = 0 if year else date(4, 1, 1).toordinal() + _YEAR_0 - 1
    try:
        first = date(year or 4, month, number.get("day", 1)).toordinal() - shift - _EPOCH
    except ValueError:
        return None
    return first + number["yearday"] - 1 if "yearday" in number else first


def _offset(text: str) -> int:
    """Return the seconds of `+01:30`; `Z` is none."""
    digits = re.sub(r"[^0-9]", "", text).ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    return -seconds if text.startswith("-") else seconds


def _local(seconds: int, where: tzinfo) -> int:
    """Return the offset of a wall clock's time."""
    try:
        offset = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).replace(tzinfo=where).utcoffset()  # noqa: DTZ001  the wall clock
    except OverflowError:
        return 0
    return round(offset.total_seconds()) if offset else 0
