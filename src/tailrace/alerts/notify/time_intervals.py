"""Times of day, week, month and year in which a route is mute, or is active.

Comes in: an interval as Alertmanager's files write it (`times`, `weekdays`, `days_of_month`, `months`, `years`,
`location`) and a time. Goes out: whether the time lies in it. Within one interval every field that is given must
fit; of a field's several ranges one must. Times of day are from the first minute to before the last one. Pure.
"""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator

from tailrace.clock import NS_PER_S
from tailrace.settings import Mistake, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Range = tuple[int, int]

_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS: Final = tuple(name.lower() for name in calendar.month_name[1:])
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_LONGEST: Final = 31


def _ends(text: object, what: str) -> tuple[str, str]:
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str):
        raise Mistake(f"expected {what}, got {text!r}", f"write {what}")
    first, separator, last = text.strip().lower().partition(":")
    return first.strip(), (last if separator else first).strip()


def _named(names: Sequence[str], base: int, what: str) -> Callable[[object], object]:
    def number(text: str) -> int:
        if text in names:
            return names.index(text) + base
        if base and text.isascii() and text.isdigit() and 1 <= int(text) <= len(names):
            return int(text)
        raise Mistake(f"{text!r} is no {what}", f"write {names[0]} to {names[-1]}")

    def read(value: object) -> object:
        if isinstance(value, tuple):
            return value
        first, last = (number(end) for end in _ends(value, f"{what}s as {names[1]}:{names[4]}"))
        if first > last:
            raise Mistake(f"{value!r} ends before it begins", f"the first {what} is {names[0]}; write two ranges")
        return first, last

    return read


def _day_range(value: object) -> object:
    if isinstance(value, tuple):
        return value
    ends = _ends(value, "days as 1:7 or -3:-1")
    try:
        first, last = (int(end) for end in ends)
    except ValueError:
        raise Mistake(f"{value!r} is no range of days", "as in 1:7, or -3:-1 for the last three") from None
    if not first or not last or max(abs(first), abs(last)) > _LONGEST:
        raise Mistake(f"{value!r} is no range of days", "days are 1 to 31, or -31 to -1 from the end")
    if first < 0 < last:
        raise Mistake(f"{value!r} begins at the end of the month and ends at its beginning", "write two ranges")
    if first > (last if (first < 0) == (last < 0) else _LONGEST + 1 + last):
        raise Mistake(f"{value!r} ends before it begins", "write the earlier day first")
    return first, last


def _year_range(value: object) -> object:
    if isinstance(value, tuple):
        return value
    try:
        first, last = (int(end) for end in _ends(value, "years as 2026:2028"))
    except ValueError:
        raise Mistake(f"{value!r} is no range of years", "as in 2026 or 2026:2028") from None
    if first > last:
        raise Mistake(f"{value!r} ends before it begins", "write the earlier year first")
    return first, last


def _minute(value: object) -> object:
    if isinstance(value, int):
        return value
    match = _CLOCK.fullmatch(str(value))
    if match is None:
        raise Mistake(f"{value!r} is no time of day", "as in 09:00; the end of a day is 24:00")
    hour, minute, end, _ = match.groups()
    return 24 * 60 if end else int(hour) * 60 + int(minute)


def _zone(value: str) -> str:
    if value not in ("Local", ""):
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise Mistake(f"there is no time zone {value!r}", "as in Europe/Berlin, UTC or Local") from None
    return value


def _range_text(names: Sequence[str], base: int = 0) -> PlainSerializer:
    def written(value: Range) -> str:
        return ":".join(names[end - base] if names else str(end) for end in value)

    return PlainSerializer(written)


def _minute_text(value: int) -> str:
    return f"{value // 60:02d}:{value % 60:02d}"


_TEXT: Final = WithJsonSchema({"type": "string"})
Minute = Annotated[int, BeforeValidator(_minute), PlainSerializer(_minute_text), _TEXT]
Weekdays = Annotated[Range, BeforeValidator(_named(_WEEKDAYS, 0, "day")), _range_text(_WEEKDAYS), _TEXT]
Months = Annotated[Range, BeforeValidator(_named(_MONTHS, 1, "month")), _range_text(_MONTHS, 1), _TEXT]
Days = Annotated[Range, BeforeValidator(_day_range), _range_text(()), _TEXT]
Years = Annotated[Range, BeforeValidator(_year_range), _range_text(()), _TEXT]


class TimeRange(Settings):
    """Times of a day."""

    start_time: Minute
    """First minute, as `09:00`."""
    end_time: Minute
    """The minute after the last one, as `17:30`; `24:00` is the end of the day."""

    @field_validator("end_time")
    @classmethod
    def _later(cls, value: int, found: object) -> int:
        start = cast("dict[str, int]", getattr(found, "data", {})).get("start_time")  # pydantic's, which is not typed
        if start is not None and value <= start:
            raise Mistake("this is not after `start_time`", "a range over midnight is two: to 24:00, and from 00:00")
        return value


class Interval(Settings):
    """One interval: all that is given here must fit."""

    times: tuple[TimeRange, ...] = ()
    """Times of day; all if there are none."""
    weekdays: tuple[Weekdays, ...] = ()
    """Days of the week: `monday:friday`, `sunday`."""
    days_of_month: tuple[Days, ...] = ()
    """Days of the month: `1:7`; `-3:-1` are the last three."""
    months: tuple[Months, ...] = ()
    """Months: `january:march` or `1:3`."""
    years: tuple[Years, ...] = ()
    """Years: `2026`, `2026:2028`."""
    location: Annotated[str, AfterValidator(_zone)] = ""
    """Time zone, as `Europe/Berlin`; UTC if none is given, `Local` is the machine's."""

    def holds(self, at_ns: int) -> bool:
        """Tell whether a time lies in it."""
        moment = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
        if self.location:
            moment = moment.astimezone(None if self.location == "Local" else ZoneInfo(self.location))
        minute = moment.hour * 60 + moment.minute
        return (
            (not self.times or any(one.start_time <= minute < one.end_time for one in self.times))
            and _within(self.weekdays, moment.isoweekday() % 7)
            and _within(self.months, moment.month)
            and _within(self.years, moment.year)
            and (not self.days_of_month or any(_has_day(days, moment) for days in self.days_of_month))
        )


class TimeInterval(Settings):
    """A name for times, of which one must fit."""

    name: Annotated[str, Field(min_length=1)]
    """What routes call it."""
    time_intervals: tuple[Interval, ...]
    """Times; one of them must fit."""

    def holds(self, at_ns: int) -> bool:
        """Tell whether a time lies in it."""
        return any(interval.holds(at_ns) for interval in self.time_intervals)


def _within(ranges: Sequence[Range], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _has_day(days: Range, moment: datetime) -> bool:
    length = calendar.monthrange(moment.year, moment.month)[1]
    first, last = (day if day > 0 else length + 1 + day for day in days)
    return first <= moment.day <= last
