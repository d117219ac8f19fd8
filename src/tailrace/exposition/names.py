"""Names of metrics and labels: which are allowed everywhere, and how the others are written for whom.

The four ways to escape a name are those of Prometheus' `escaping` parameter.

>>> escape("http.status", "underscores"), escape("http.status", "dots"), escape("http.status", "values")
('http_status', 'http_dot_status', 'U__http_2e_status')
>>> escape("http_status", "dots"), escape("http_status", "values")
('http__status', 'http_status')
"""

from __future__ import annotations

import re
from typing import Final, Literal

Escaping = Literal["allow-utf-8", "underscores", "dots", "values"]

METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

_PLAIN: Final = re.compile(r"[a-zA-Z0-9:]")
_DIGIT: Final = re.compile(r"[0-9]")
_SURROGATES: Final = range(0xD800, 0xE000)


def is_plain(name: str) -> bool:
    """Tell whether a name needs no escaping and no quotes."""
    return METRIC.fullmatch(name) is not None


def escape(name: str, escaping: Escaping) -> str:
    """Return a name as a reader of that escaping expects it; `allow-utf-8` leaves it."""
    if escaping == "allow-utf-8" or not name:
        return name
    if escaping == "dots":
        return "".join(_dots(character, first=not index) for index, character in enumerate(name))
    if is_plain(name):
        return name
    if escaping == "underscores":
        return "".join("_" if _odd(character, first=not index) else character for index, character in enumerate(name))
    return "U__" + "".join(_value(character, first=not index) for index, character in enumerate(name))


def _odd(character: str, *, first: bool) -> bool:
    if first and _DIGIT.fullmatch(character):
        return True
    return character != "_" and not _PLAIN.fullmatch(character)


def _dots(character: str, *, first: bool) -> str:
    if character == ".":
        return "_dot_"
    return "__" if character == "_" or _odd(character, first=first) else character


def _value(character: str, *, first: bool) -> str:
    if character == "_":
        return "__"
    if not _odd(character, first=first):
        return character
    return "_FFFD_" if ord(character) in _SURROGATES else f"_{ord(character):x}_"
