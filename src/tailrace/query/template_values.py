"""Values inside `line_format` templates, and how Go prints them (`%v` and the other verbs)."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final, TypeAlias

from tailrace.errors import DataError
from tailrace.query import values
from tailrace.query.lexer import quote
from tailrace.query.template_times import format_time


class TemplateError(DataError):
    """A template failed on one line, as `div 1 0` does."""


class Time(int):
    """A point in time in Unix nanoseconds, told apart from plain integers."""

    __slots__ = ()


Value: TypeAlias = "str | bool | int | float | Time | list[Value] | dict[str, Value] | None"

LONGEST: Final = 1_048_576
"""Bytes that `repeat`, `indent` and the aligning functions may make: the bound of a line."""


def shown(value: Value) -> str:
    """Write a value as Go's `%v` does."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Time):
        return _go_time(value)
    if isinstance(value, list):
        return f"[{' '.join(map(_within, value))}]"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_within(item)}' for key, item in sorted(value.items()))}]"
    return _go_float(value) if isinstance(value, float) else str(value)


def _within(value: Value) -> str:
    return "<nil>" if value is None else shown(value)


def truth(value: Value) -> bool:
    """Tell whether `if` takes a value for true: not empty, 0, false or nil."""
    return isinstance(value, Time) or bool(value)


def _go_float(value: float) -> str:
    if not math.isfinite(value):
        return values.float_text(value)
    number = Decimal(repr(value)).normalize()
    power = number.adjusted() if value else 0
    if -5 < power < 6:  # noqa: PLR2004 -- where Go's %v turns to exponents: a million is 1e+06
        return values.float_text(value)
    first, *rest = map(str, number.as_tuple().digits)
    return f"{'-' * (value < 0)}{first}{'.' * bool(rest)}{''.join(rest)}e{power:+03d}"


def _go_time(time: Time) -> str:
    return format_time(int(time), "2006-01-02 15:04:05.999999999 +0000 UTC")


_PARTS: Final = {
    "Year": "2006", "Month": "January", "Day": "2", "Weekday": "Monday", "YearDay": "002", "Hour": "15",
    "Minute": "4", "Second": "5",
}  # fmt: skip
_UNIX: Final = {"Unix": 10**9, "UnixMilli": 10**6, "UnixMicro": 10**3, "UnixNano": 1}


def part_of_time(time: Time, name: str, *arguments: Value) -> Value:
    """Return what a method of Go's times gives, in UTC: `Format` with a layout, parts such as `Year`, or `Unix`.

    >>> part_of_time(Time(0), "Year"), part_of_time(Time(0), "Month"), part_of_time(Time(0), "Format", "15:04")
    (1970, 'January', '00:00')
    """
    if name == "Format" and len(arguments) == 1 and isinstance(arguments[0], str):
        return format_time(int(time), arguments[0])
    if name in _PARTS and not arguments:
        text = format_time(int(time), _PARTS[name])
        return int(text) if text.isdigit() else text
    if name in _UNIX and not arguments:
        return int(time) // _UNIX[name]
    if name in ("UTC", "Local") and not arguments:
        return time
    raise TemplateError(f"a time has no {name} that takes {len(arguments)} arguments")


def bounded(size: int) -> int:
    """Return a length that a template may make; refuse a longer one."""
    if size > LONGEST:
        raise TemplateError(f"a text of more than {LONGEST} bytes")
    return size


def print_values(*arguments: Value) -> str:
    """Write values one after another, with a space between two that are no text."""
    text = ""
    for place, value in enumerate(arguments):
        apart = place and not isinstance(value, str) and not isinstance(arguments[place - 1], str)
        text += (" " if apart else "") + shown(value)
    return text


_VERB: Final = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.)", re.DOTALL)


def printf(layout: str, *arguments: Value) -> str:
    """Write values as a layout says; what does not fit is written as Go writes its mistakes."""
    waiting = list(arguments)

    def one(found: re.Match[str]) -> str:
        if found[4] == "%":
            return "%"
        if not waiting:
            return f"%!{found[4]}(MISSING)"
        value = waiting.pop(0)
        text = _verb(found[4], value, found[1], found[3])
        width = bounded(int(found[2] or 0))
        if "-" in found[1]:
            return text.ljust(width)
        return text.zfill(width) if "0" in found[1] and not isinstance(value, str) else text.rjust(width)

    text = _VERB.sub(one, layout)
    extra = ", ".join(f"{_kind(value)}={shown(value)}" for value in waiting)
    return f"{text}%!(EXTRA {extra})" if waiting else text


def _verb(verb: str, value: Value, flags: str, precision: str | None) -> str:
    sign = "+" if "+" in flags and isinstance(value, int | float) and value >= 0 else ""
    places = None if precision is None else bounded(int(precision or 0))
    if verb == "v" or (verb == "t" and isinstance(value, bool)):
        return sign + shown(value)
    if isinstance(value, str) and verb in "sqx":
        cut = value[:places]
        return {"s": cut, "q": go_quote(cut), "x": cut.encode().hex()}[verb]
    if isinstance(value, int) and not isinstance(value, bool) and verb in "dxXobc":
        return sign + format(value, verb)
    if isinstance(value, float) and verb in "feEg":
        shortest = verb == "g" and places is None
        return sign + (shown(value) if shortest else format(value, f".{6 if places is None else places}{verb}"))
    return f"%!{verb}({_kind(value)}={shown(value)})"


def go_quote(value: str) -> str:
    """Write a text in double quotes, as Go's `%q` does."""
    text = quote(value)
    return text if text[0] == '"' else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _kind(value: Value) -> str:
    names: dict[type, str] = {list: "[]interface {}", dict: "map[string]interface {}"}
    names |= {str: "string", bool: "bool", int: "int", float: "float64", Time: "time.Time"}
    return names.get(type(value), "<nil>")
