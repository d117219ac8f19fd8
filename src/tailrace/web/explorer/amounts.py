"""Sizes and ages as people read them. Pure."""

from __future__ import annotations

from typing import Final

from tailrace.clock import NS_PER_S

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP: Final = 1_024
MINUS: Final = "\N{MINUS SIGN}"
_SPANS: Final = ((86_400 * 365, "y"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

AGES: Final = ((1, "day"), (7, "week"), (30, "month"), (365, "year"))
"""Classes of age: fewer days than, and the name of the class; the rest is `older`."""


def size_text(size: int | None) -> str:
    """Return a number of bytes; with a decimal below ten of a unit.

    >>> [size_text(size) for size in (0, 1_023, 1_536, 10 * 1024, 3 * 1024**3)]
    ['0 B', '1,023 B', '1.5 KiB', '10 KiB', '3.0 GiB']
    """
    if size is None:
        return "\N{EN DASH}"
    value, unit = float(abs(size)), "B"
    for larger in _UNITS:
        if value < _STEP - 0.5:
            break
        value, unit = value / _STEP, larger
    digits = 1 if unit != "B" and value < 9.95 else 0  # noqa: PLR2004  two digits say enough
    return f"{MINUS * (size < 0)}{value:,.{digits}f} {unit}"


def change_text(size: int) -> str:
    """Return by how much something changed.

    >>> change_text(2048), change_text(0)
    ('+2.0 KiB', '±0 B')
    """
    return f"{'+' if size > 0 else '±' if size == 0 else ''}{size_text(size)}"


def change_count(number: int) -> str:
    """Return by how many something changed.

    >>> change_count(1200), change_count(-1), change_count(0)
    ('+1,200', '\N{MINUS SIGN}1', '±0')
    """
    return f"{'+' if number > 0 else MINUS if number else '±'}{abs(number):,}"


def age_text(at_ns: int, now_ns: int) -> str:
    """Return how long ago something was, in its largest unit; `now` below a second, and `later` for the future.

    >>> s = 10**9
    >>> [age_text(0, seconds * s) for seconds in (0, 59, 3_600, 90_000, 86_400 * 800)]
    ['now', '59 s', '1 h', '1 d', '2 y']
    """
    seconds = (now_ns - at_ns) // NS_PER_S
    if seconds < 0:
        return "later"
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return "now"


def age_class(at_ns: int | None, now_ns: int) -> str:
    """Return the class of an age, `unknown` without a time.

    >>> day = 86_400 * 10**9
    >>> age_class(0, day - 1), age_class(0, day), age_class(0, 400 * day), age_class(None, 0)
    ('day', 'week', 'older', 'unknown')
    """
    if at_ns is None:
        return "unknown"
    days = (now_ns - at_ns) / (86_400 * NS_PER_S)
    return next((name for most, name in AGES if days < most), "older")
