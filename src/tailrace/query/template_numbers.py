"""Numbers in templates: `add`, `div`, `round` …, over values that may be text.

Whole numbers have 64 bits and wrap as Go's do; what is no number counts as 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tailrace.query import literals
from tailrace.query.template_values import TemplateError, Time, Value

if TYPE_CHECKING:
    from collections.abc import Callable

_INT64: Final = literals.MAX_INT64


def to_int(value: Value) -> int:
    """Return a whole number; text is read, what is none is 0."""
    if isinstance(value, int):
        return int(value)
    number = to_float(value)
    return max(-_INT64, min(int(number), _INT64)) if math.isfinite(number) else 0


def to_float(value: Value) -> float:
    """Return a float; text is read, what is none is 0."""
    if isinstance(value, str):
        return literals.float_value(value) or 0.0
    return 0.0 if isinstance(value, list | dict) else float(value or 0)


def fold(convert: Callable[[Value], float], step: Callable[[float, float], float]) -> Callable[..., float]:
    """Return a function that goes through its numbers from left to right."""

    def folded(first: Value, *others: Value) -> float:
        result = convert(first)
        for other in others:
            result = step(result, convert(other))
        return wrapped(result) if isinstance(result, int) else result

    return folded


def wrapped(value: int) -> int:
    """Keep the 64 bits of an integer, as Go does."""
    return (value + _INT64 + 1) % (2 * (_INT64 + 1)) - _INT64 - 1


def divide(a: float, b: float) -> float:
    """Divide floats, or whole numbers towards zero."""
    if not b:
        if isinstance(a, float):
            return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a)
        raise TemplateError("integer divide by zero")
    return a / b if isinstance(a, float) else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def mod(a: Value, b: Value) -> int:
    """Return the rest of a division of whole numbers, with the sign of the left one."""
    left, right = to_int(a), to_int(b)
    if not right:
        raise TemplateError("integer divide by zero")
    return abs(left) % abs(right) * (-1 if left < 0 else 1)


def rounded(value: Value, places: int, *half: Value) -> float:
    """Round to some places, up from `half` (0.5) on; a fraction below zero is always less, so down, as upstream."""
    number, on, scale = to_float(value), to_float(half[0]) if half else 0.5, 10.0**places
    scaled = number * scale
    if not math.isfinite(scaled):
        return number
    return (math.ceil(scaled) if math.modf(scaled)[0] >= on else math.floor(scaled)) / scale


def whole(rounding: Callable[[float], int], value: Value) -> float:
    """Return a number made whole by a function such as `math.ceil`."""
    number = to_float(value)
    return float(rounding(number)) if math.isfinite(number) else number


def byte_count(s: str) -> float:
    """Return how many bytes a text such as `5KB` says."""
    size = literals.bytes_value(s)
    if size is None:
        raise TemplateError(f"{s!r} is not a byte count")
    return float(size)


def seconds(s: str) -> float:
    """Return the seconds of a text such as `1m30s`."""
    ns = literals.duration_value(s)
    if ns is None:
        raise TemplateError(f"{s!r} is not a duration")
    return ns / 1e9


def epoch(divisor: int) -> Callable[[Value], str]:
    """Return a function that writes a time as a number of so many nanoseconds each."""

    def since_1970(t: Value) -> str:
        if not isinstance(t, Time):
            raise TemplateError("a time was expected")
        return str(int(t) // divisor if divisor > 1 else wrapped(int(t)))

    return since_1970
