"""Read what test files write as text: series of numbers, label sets, and times. Pure.

The notation of numbers is Prometheus': `1 2 3`, `1+2x3` (1 3 5 7), `4x2` (4 4 4), `_` (nothing) and `stale`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Literal

from tailrace.clock import NS_PER_S
from tailrace.query.parser import parse_selector

MOST: Final = 100_000
"""Numbers that one series may have; more were not meant."""

_NUMBER: Final = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|[Ii]nf|NaN)"
_STEPS: Final = re.compile(rf"({_NUMBER})(?:([+-])({_NUMBER}))?x(\d+)")
_GAPS: Final = re.compile(r"(_|stale)(?:x(\d+))?")
_METRIC: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(\{.*\})?", re.DOTALL)

Sample = float | Literal["_", "stale"]
"""A number, that there is none, or that the series ended."""


def samples(text: str) -> list[Sample]:
    """Return the numbers of a series; raises `ValueError` for what is not in the notation.

    >>> samples("1+2x2 _ 4x1 stale")
    [1.0, 3.0, 5.0, '_', 4.0, 4.0, 'stale']
    """
    found: list[Sample] = []
    for word in text.split():
        found += _of_word(word)
        if len(found) > MOST:
            raise ValueError(f"more than {MOST:,} numbers")
    return found


def _of_word(word: str) -> list[Sample]:
    if gaps := _GAPS.fullmatch(word):
        gap: Sample = "stale" if gaps[1] == "stale" else "_"
        return [gap] * _times(gaps[2], 1)
    if steps := _STEPS.fullmatch(word):
        first, by = float(steps[1]), float(steps[3] or 0) * (-1 if steps[2] == "-" else 1)
        return [first + by * number for number in range(_times(steps[4], 0) + 1)]
    if re.fullmatch(_NUMBER, word):
        return [float(word)]
    raise ValueError(f"{word!r} is no number, and no series of numbers as 1+2x3")


def _times(digits: str | None, otherwise: int) -> int:
    count = otherwise if digits is None else int(digits[:10])
    if count > MOST:
        raise ValueError(f"more than {MOST:,} numbers")
    return count


def labels_of(text: str) -> dict[str, str]:
    """Return the labels of a stream or a series; a name in front is `__name__`. Raises `QueryError`, `ValueError`.

    >>> labels_of('up{job="a"}')
    {'__name__': 'up', 'job': 'a'}
    """
    found = _METRIC.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'{text!r} is no label set, as {{app="cart"}}')
    labels = {"__name__": found[1]} if found[1] else {}
    if found[2] and found[2].strip("{} \t\n"):
        for matcher in parse_selector(found[2]).matchers:
            if matcher.op != "=":
                raise ValueError(f"{text!r} asks for streams; a label set has a value for each name")
            labels[matcher.name] = matcher.value
    return labels


def moment(value: str | float) -> int:
    """Return a point in time in nanoseconds: RFC 3339, or Unix seconds; raises `ValueError`."""
    if not isinstance(value, str):
        return round(value * NS_PER_S)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no time, as 2026-01-31T12:00:00Z") from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()) * NS_PER_S
