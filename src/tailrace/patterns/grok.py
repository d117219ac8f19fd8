r"""`%{NAME:field:type}` patterns: named pieces put together to one regular expression.

Comes in: a pattern, and definitions beside those of `library`. Goes out: the regular expression and the types of its
fields. Refuses unknown names (with a suggestion), definitions that use themselves, fields that are there
twice, and types that do not exist. An expression that does not say where it begins is tried at the start of a line
only: an unanchored pattern that fails is what costs most.

>>> expand("%{IP:client} %{INT:status:int}").types
{'status': 'int'}
>>> expand(r"\[%{WORD:level}\]").regex
'^\\[(?P<level>\\b\\w+\\b)\\]'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.errors import did_you_mean
from tailrace.patterns.library import LIBRARY
from tailrace.patterns.regex import PatternError, groups_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES: Final = ("string", "int", "float", "bool", "time")
"""What a field may be typed as."""

_PIECE: Final = re.compile(r"%\{(?P<name>[A-Za-z0-9_]+)(?::(?P<field>[^:}]*))?(?::(?P<type>[^}]*))?\}")
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Expanded:
    """A regular expression with named groups, and the types of those that are no text."""

    regex: str
    types: Mapping[str, str]


def expand(pattern: str, definitions: Mapping[str, str] | None = None) -> Expanded:
    """Return what a pattern stands for; raises `PatternError`."""
    types: dict[str, str] = {}
    regex = _expand(pattern, LIBRARY | dict(definitions or {}), types, ())
    if not regex.startswith(("^", r"\A")):
        regex = f"^{regex}" if "|" not in regex else f"^(?:{regex})"
    groups_of(regex)
    return Expanded(regex, types)


def _expand(pattern: str, known: Mapping[str, str], types: dict[str, str], inside: tuple[str, ...]) -> str:
    def piece(match: re.Match[str]) -> str:
        name, field, kind = match["name"], match["field"], match["type"]
        at = None if inside else match.start()
        if name not in known:
            raise PatternError(f"there is no pattern {name!r}; {did_you_mean(name, known) or 'define it'}", at)
        if name in inside:
            raise PatternError(f"the pattern {name!r} uses itself", at)
        if kind is not None and kind not in TYPES:
            raise PatternError(f"there is no type {kind!r}; {did_you_mean(kind, TYPES) or ', '.join(TYPES)}", at)
        text = _expand(known[name], known, types, (*inside, name))
        if not field:
            return f"(?:{text})" if "|" in text else text
        if not _FIELD.fullmatch(field):
            raise PatternError(f"{field!r} cannot name a field: letters, digits and '_'", at)
        if kind not in (None, "string"):
            types[field] = kind
        return f"(?P<{field}>{text})"

    return _PIECE.sub(piece, pattern)
