r"""The functions of `line_format` templates: Go's own and Loki's, over strings, numbers and booleans.

`FUNCTIONS` is the table; adding one is a line in it. A fault while rendering is a `TemplateError`; it
marks the line, not the query. Lengths and cuts are in bytes, as upstream, and never leave half a
character behind.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import math
import operator
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import quote_plus, unquote_to_bytes

import polars as pl

from tailrace.query import regexes
from tailrace.query import template_numbers as numbers
from tailrace.query.re2 import translated
from tailrace.query.template_times import SECOND, ZERO_NS, format_time, parse_time, zone
from tailrace.query.template_values import TemplateError, Time, Value, bounded, print_values, printf, shown, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_DAY_NS: Final = 86_400 * SECOND


_SPACE: Final = "".join(char for char in map(chr, range(0x3001)) if char.isspace() and char not in "\x1c\x1d\x1e\x1f")
"""What Go trims: Python also takes the separators of ASCII for space."""


def _clip(data: bytes) -> str:
    return data.decode("utf-8", "ignore")


# --- text -------------------------------------------------------------------------------------------


def _lower(s: str) -> str:
    return s.lower() if s.isascii() else "".join(_one(char, char.lower()) for char in s)


def _upper(s: str) -> str:
    return s.upper() if s.isascii() else "".join(_one(char, char.upper()) for char in s)


def _one(char: str, other: str) -> str:
    """Return the other case of a character, if that is one too: `ß` has none."""
    return other if len(other) == 1 else char


def _title(s: str) -> str:
    return re.sub(r"(?<!\w)\w", lambda found: _upper(found[0]), s)


def _trim(s: str) -> str:
    return s.strip(_SPACE)


def _trunc(n: int, s: str) -> str:
    data = s.encode()
    return _clip(data[n:] if n < 0 else data[:n])


def _substr(start: int, end: int, s: str) -> str:
    data = s.encode()
    if start < 0:
        return _clip(data[: max(end, 0)])
    return _clip(data[start:] if end < 0 or end > len(data) else data[start:end])


def _slice(s: Value, *bounds: Value) -> Value:
    if not isinstance(s, str | list):
        raise TemplateError("slice takes a text or a list")
    data = s.encode() if isinstance(s, str) else s
    ends = [0, len(data)]
    for place, bound in enumerate(bounds):
        if not isinstance(bound, int):
            raise TemplateError("slice takes whole numbers")
        ends[place] = bound
    if len(bounds) > 2 or not 0 <= ends[0] <= ends[1] <= len(data):  # noqa: PLR2004 -- a start and an end
        raise TemplateError("slice is out of range")
    part = data[ends[0] : ends[1]]
    return _clip(part) if isinstance(part, bytes) else part


def _length(value: Value) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list | dict):
        return len(value)
    raise TemplateError(f"len of {shown(value)}")


def _index(value: Value, *places: Value) -> Value:
    for place in places:
        if isinstance(value, dict) and isinstance(place, str):
            value = value.get(place)
        elif isinstance(value, list | str) and type(place) is int:
            data = value.encode() if isinstance(value, str) else value
            if not 0 <= place < len(data):
                raise TemplateError(f"index out of range: {place}")
            value = data[place]
        else:
            raise TemplateError(f"{shown(value)} has no element {shown(place)}")
    return value


def _align_left(n: int, s: str) -> str:
    return s[: max(n, 0)].ljust(bounded(n))


def _align_right(n: int, s: str) -> str:
    return s[max(len(s) - max(n, 0), 0) :].rjust(bounded(n))


def _indent(n: int, s: str) -> str:
    pad = " " * bounded(n)
    bounded(len(s) + n * (s.count("\n") + 1))
    return pad + s.replace("\n", "\n" + pad)


def _repeat(n: int, s: str) -> str:
    if n < 0:
        raise TemplateError("repeat takes no negative number")
    bounded(n * len(s))
    return s * n


def _regex_replace(regex: str, s: str, new: str) -> str:
    return str(_regex(pl.Series([s]).str.replace_all, regex, new))


def _regex_replace_literal(regex: str, s: str, new: str) -> str:
    return str(_regex(pl.Series([s]).str.replace_all, regex, new.replace("$", "$$")))


def _count(regex: str, s: str) -> int:
    return int(str(_regex(pl.Series([s]).str.count_matches, regex)))


def _regex(run: Callable[..., pl.Series], pattern: str, *arguments: str) -> object:
    try:
        return run(translated(pattern), *arguments)[0]
    except pl.exceptions.ComputeError:
        raise TemplateError(f"invalid regular expression {pattern!r}") from None


def _url_decode(s: str) -> str:
    if bad := re.search(r"%(?![0-9a-fA-F]{2})", s):
        return f'invalid URL escape "{s[bad.start() : bad.start() + 3]}"'
    return _clip(unquote_to_bytes(s.replace("+", " ")))


def _base64_decode(s: str) -> str:
    try:
        return _clip(base64.b64decode(s + "=" * (-len(s) % 4), validate=True))
    except binascii.Error:
        return f"illegal base64 data at input byte {_not_base64(s)}"


def _not_base64(s: str) -> int:
    """Return where the first byte stands that cannot stand there."""
    found = re.search(r"[^A-Za-z0-9+/]", s)
    return len(s[: found.start()].encode()) if found else len(s)


def _default(fallback: Value, value: Value) -> Value:
    return value if truth(value) else fallback


# --- JSON and scripts -------------------------------------------------------------------------------


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _from_json(s: str) -> Value:
    try:
        value: Value = json.loads(s, parse_int=float, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value


def _js_character(char: str) -> str:
    if char in _JS:
        return _JS[char]
    if char < " " or not char.isprintable():
        return f"\\u{ord(char):04X}"
    return char


_JS: Final = {"\\": "\\\\", "'": "\\'", '"': '\\"', **{char: f"\\u{ord(char):04X}" for char in "<>&="}}


def _js(*values: Value) -> str:
    return "".join(map(_js_character, print_values(*values)))


# --- time -------------------------------------------------------------------------------------------

_UNITS: Final = {5: _DAY_NS, 10: SECOND, 13: 1_000_000, 16: 1_000, 19: 1}
"""Nanoseconds of the unit that a number of so many digits counts since 1970."""


def _date(layout: str, t: Value) -> str:
    if type(t) is int:
        return format_time(t * SECOND, layout)
    return format_time(int(t) if isinstance(t, Time) else time.time_ns(), layout)  # anything else is now, as upstream


def _to_date(layout: str, name: str, s: str) -> Time:
    found = parse_time(layout, s, zone(name))
    return Time(ZERO_NS if found is None else found)


def _unix_to_time(s: str) -> Time:
    unit = _UNITS.get(len(s))
    if unit is None or not re.fullmatch(r"-?[0-9]+", s):
        raise TemplateError(f"unable to parse time {s!r}")
    return Time(int(s) * unit)


# --- comparison --------------------------------------------------------------------------------------


def _equal(first: Value, second: Value, *others: Value) -> bool:
    return any(_comparable(first, other) and first == other for other in (second, *others))


def _less(a: Value, b: Value) -> bool:
    _comparable(a, b)
    if isinstance(a, str) and isinstance(b, str):
        return a < b
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
        return a < b
    raise TemplateError("these values have no order")


def _comparable(a: Value, b: Value) -> bool:
    if a is not None and b is not None and type(a) is not type(b):  # a whole number is none with a point, as in Go
        raise TemplateError("incompatible types for comparison")
    return True


# --- the table --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """A function and what it takes, a letter per argument: `s` text, `i` a whole number, `v` any value.

    A last letter with `?` may be missing, with `*` may come any number of times. One that is `scoped` is called with
    the scope of the template in front of its arguments.
    """

    takes: str
    call: Callable[..., Value]
    scoped: bool = False

    def kind(self, place: int) -> str:
        """Return the letter of an argument, or an empty text if there is no such argument."""
        plain = self.takes.rstrip("?*")
        return plain[place] if place < len(plain) else plain[-1:] if self.takes.endswith("*") else ""

    @property
    def least(self) -> int:
        """The number of arguments that must be there."""
        plain = self.takes.rstrip("?*")
        return len(plain) - (plain != self.takes)


FUNCTIONS: Final[Mapping[str, Function]] = {
    # text
    "lower": Function("s", _lower),
    "upper": Function("s", _upper),
    "title": Function("s", _title),
    "ToLower": Function("s", _lower),
    "ToUpper": Function("s", _upper),
    "trim": Function("s", _trim),
    "trimAll": Function("ss", lambda cut, s: s.strip(cut)),
    "trimPrefix": Function("ss", lambda prefix, s: s.removeprefix(prefix)),
    "trimSuffix": Function("ss", lambda suffix, s: s.removesuffix(suffix)),
    "TrimSpace": Function("s", _trim),
    "Trim": Function("ss", str.strip),
    "TrimLeft": Function("ss", str.lstrip),
    "TrimRight": Function("ss", str.rstrip),
    "TrimPrefix": Function("ss", str.removeprefix),
    "TrimSuffix": Function("ss", str.removesuffix),
    "replace": Function("sss", lambda old, new, s: s.replace(old, new)),
    "Replace": Function("sssi", str.replace),
    "trunc": Function("is", _trunc),
    "substr": Function("iis", _substr),
    "slice": Function("vv*", _slice),
    "alignLeft": Function("is", _align_left),
    "alignRight": Function("is", _align_right),
    "indent": Function("is", _indent),
    "nindent": Function("is", lambda n, s: "\n" + _indent(n, s)),
    "repeat": Function("is", _repeat),
    "contains": Function("ss", lambda part, s: part in s),
    "hasPrefix": Function("ss", lambda prefix, s: s.startswith(prefix)),
    "hasSuffix": Function("ss", lambda suffix, s: s.endswith(suffix)),
    "len": Function("v", _length),
    "index": Function("vv*", _index),
    "count": Function("ss", _count),
    "regexReplaceAll": Function("sss", _regex_replace),
    "regexReplaceAllLiteral": Function("sss", _regex_replace_literal),
    "urlencode": Function("s", quote_plus),
    "urldecode": Function("s", _url_decode),
    "urlquery": Function("v*", lambda *values: quote_plus(print_values(*values))),
    "html": Function(
        "v*", lambda *values: html.escape(print_values(*values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    ),
    "js": Function("v*", _js),
    "fromJson": Function("s", _from_json),
    "b64enc": Function("s", lambda s: base64.b64encode(s.encode()).decode()),
    "b64dec": Function("s", _base64_decode),
    "default": Function("vv", _default),
    # numbers
    "int": Function("v", numbers.to_int),
    "float64": Function("v", numbers.to_float),
    "add": Function("vv*", numbers.fold(numbers.to_int, operator.add)),
    "sub": Function("vv", numbers.fold(numbers.to_int, operator.sub)),
    "mul": Function("vv*", numbers.fold(numbers.to_int, operator.mul)),
    "div": Function("vv", numbers.fold(numbers.to_int, numbers.divide)),
    "mod": Function("vv", numbers.mod),
    "max": Function("vv*", numbers.fold(numbers.to_int, max)),
    "min": Function("vv*", numbers.fold(numbers.to_int, min)),
    "addf": Function("vv*", numbers.fold(numbers.to_float, operator.add)),
    "subf": Function("vv*", numbers.fold(numbers.to_float, operator.sub)),
    "mulf": Function("vv*", numbers.fold(numbers.to_float, operator.mul)),
    "divf": Function("vv*", numbers.fold(numbers.to_float, numbers.divide)),
    "maxf": Function("vv*", numbers.fold(numbers.to_float, max)),
    "minf": Function("vv*", numbers.fold(numbers.to_float, min)),
    "ceil": Function("v", lambda value: numbers.whole(math.ceil, value)),
    "floor": Function("v", lambda value: numbers.whole(math.floor, value)),
    "round": Function("viv?", numbers.rounded),
    "bytes": Function("s", numbers.byte_count),
    "duration": Function("s", numbers.seconds),
    "duration_seconds": Function("s", numbers.seconds),
    "unixEpoch": Function("v", numbers.epoch(1_000_000_000)),
    "unixEpochMillis": Function("v", numbers.epoch(1_000_000)),
    "unixEpochNanos": Function("v", numbers.epoch(1)),
    "now": Function("", lambda: Time(time.time_ns())),
    "date": Function("sv", _date),
    "toDate": Function("ss", lambda layout, s: _to_date(layout, "", s)),
    "toDateInZone": Function("sss", _to_date),
    "unixToTime": Function("s", _unix_to_time),
    # comparison and printing
    "eq": Function("vvv*", _equal),
    "ne": Function("vv", lambda a, b: not _equal(a, b)),
    "lt": Function("vv", _less),
    "le": Function("vv", lambda a, b: not _less(b, a)),
    "gt": Function("vv", lambda a, b: _less(b, a)),
    "ge": Function("vv", lambda a, b: not _less(a, b)),
    "and": Function("vv*", lambda *values: next((value for value in values if not truth(value)), values[-1])),
    "or": Function("vv*", lambda *values: next((value for value in values if truth(value)), values[-1])),
    "not": Function("v", lambda value: not truth(value)),
    "print": Function("v*", print_values),
    "println": Function("v*", lambda *values: " ".join(map(shown, values)) + "\n"),
    "printf": Function("sv*", printf),
}
"""Every function by name, arguments in the order of the template."""


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """What a kind of template knows: its functions, and variables that are declared before it begins.

    `checks` says of functions what is wrong with a first argument that is written out, if anything. With `labels`,
    `{{.name}}` is a label of a line; else the dot is the value that the template is rendered for.
    """

    functions: Mapping[str, Function]
    checks: Mapping[str, Callable[[str], str]]
    variables: tuple[str, ...] = ()
    labels: bool = True


def bad_regex(pattern: str) -> str:
    """Return why a pattern cannot run, empty if it can."""
    found = regexes.problem(pattern)
    return f"invalid regular expression: {found[1]}" if found else ""


LINES: Final = Dialect(FUNCTIONS, dict.fromkeys(("count", "regexReplaceAll", "regexReplaceAllLiteral"), bad_regex))
"""The templates of `line_format` and `label_format`."""
