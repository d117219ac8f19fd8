"""Times and durations as they stand in request parameters; integers in nanoseconds come out.

Spellings are those of Loki's HTTP API: a time is Unix seconds (up to ten digits, or with a fraction),
Unix nanoseconds (more digits) or RFC 3339; a duration is seconds or a Prometheus duration. The
explorer also knows `now` and `now-1h`. What reads as neither is a `QueryError` that lists the spellings.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

from tailrace.clock import NS_PER_S
from tailrace.errors import QueryError

MAX_NS: Final = 2**63 - 1
"""Times are 64-bit: from the year 1677 to 2262."""

_UNITS: Final = {
    "y": 365 * 86_400 * NS_PER_S,
    "w": 7 * 86_400 * NS_PER_S,
    "d": 86_400 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "m": 60 * NS_PER_S,
    "s": NS_PER_S,
    "ms": 1_000_000,
}
_DURATION: Final = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS), re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_NOW: Final = re.compile(r"now(?:\s*-\s*(\S+))?", re.ASCII)


def time_ns(text: str, name: str = "time") -> int:
    """Return a time parameter in Unix nanoseconds.

    >>> time_ns("1700000000"), time_ns("1700000000000000001"), time_ns("1700000000.0015")
    (1700000000000000000, 1700000000000000001, 1700000000002000000)
    """
    if text.isascii() and text.isdigit():
        return _fit(int(text) * NS_PER_S if len(text) <= 10 else int(text[:25]), text, name)  # noqa: PLR2004  Loki's rule
    if _FLOAT.fullmatch(text) and ("." in text or text.startswith("-")):
        milliseconds = (_decimal(text, name) * 1000).to_integral_value(ROUND_HALF_UP)
        return _fit(int(milliseconds) * 1_000_000, text, name)
    return _fit(_rfc3339(text, name), text, name)


def seconds_ns(text: str, name: str = "time") -> int:
    """Return a time as Prometheus reads it: Unix seconds, rounded to milliseconds, or RFC 3339.

    >>> seconds_ns("1700000000"), seconds_ns("1.7e9"), seconds_ns("1700000000.0015")
    (1700000000000000000, 1700000000000000000, 1700000000002000000)
    """
    if _FLOAT.fullmatch(text):
        milliseconds = (_decimal(text, name) * 1000).to_integral_value(ROUND_HALF_UP)
        return _fit(int(milliseconds) * 1_000_000, text, name)
    return _fit(_rfc3339(text, name), text, name)


def moment_ns(text: str, now_ns: int, name: str) -> int:
    """Return a time as the explorer writes it: `now`, `now-15m`, or anything that `time_ns` reads."""
    match = _NOW.fullmatch(text)
    if match is None:
        return time_ns(text, name)
    return _fit(now_ns - (duration_ns(match[1], name) if match[1] else 0), text, name)


def duration_ns(text: str, name: str = "step") -> int:
    """Return a duration parameter in nanoseconds: a number of seconds, or units y w d h m s ms in falling order.

    >>> duration_ns("0.5"), duration_ns("60000ms"), duration_ns("1h30m")
    (500000000, 60000000000, 5400000000000)
    """
    if _FLOAT.fullmatch(text):
        return _fit(int((_decimal(text, name) * NS_PER_S).to_integral_value(ROUND_HALF_UP)), text, name)
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise QueryError(
            f"{name}={_shown(text)} is no duration", hint="write seconds (60, 0.5) or units as in 1h30m, 60000ms"
        )
    parts = zip(match.groups(), _UNITS.values(), strict=True)
    return _fit(sum(int(number[:20]) * unit for number, unit in parts if number), text, name)


def iso(ns: int) -> str:
    """Return a time as RFC 3339 in UTC with as many digits as it needs.

    >>> iso(1700000000_000000001), iso(1700000000_500000000), iso(1700000000_000000000)
    ('2023-11-14T22:13:20.000000001Z', '2023-11-14T22:13:20.5Z', '2023-11-14T22:13:20Z')
    """
    seconds, rest = divmod(ns, NS_PER_S)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + fraction + "Z"


def _rfc3339(text: str, name: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise _no_time(text, name)
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{(zone or 'Z').upper().replace('Z', '+00:00')}")
    except ValueError:
        raise _no_time(text, name) from None
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NS_PER_S + int((fraction or "0").ljust(9, "0"))


def _decimal(text: str, name: str) -> Decimal:
    try:
        number = Decimal(text)
        if abs(number.adjusted()) > 30:  # noqa: PLR2004  1e30 s is out of range in any unit
            raise _no_time(text, name) if number else QueryError(f"{name}={_shown(text)} is out of range")
    except InvalidOperation:
        raise _no_time(text, name) from None
    return number


def _fit(ns: int, text: str, name: str) -> int:
    if not -MAX_NS <= ns <= MAX_NS:
        raise QueryError(f"{name}={_shown(text)} is out of range", hint="times lie between the years 1677 and 2262")
    return ns


def _no_time(text: str, name: str) -> QueryError:
    return QueryError(
        f"{name}={_shown(text)} is no time",
        hint="write Unix seconds, Unix nanoseconds or RFC 3339 as in 2026-01-02T03:04:05Z",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")  # noqa: PLR2004  enough to recognise it
