r"""Regular expressions with named groups, checked before they are used.

Comes in: a pattern as people write it, `(?P<name>…)` or `(?<name>…)`. Goes out: its groups, or a `PatternError` that
names the column of the fault. Refuses what needs backtracking (looking around, back-references): the engine runs
in linear time and has neither.

>>> groups_of(r"^(?P<user>\w+) (?<code>\d+)")
('user', 'code')
>>> groups_of(r"(?<=x)(?P<a>y)")
Traceback (most recent call last):
...
tailrace.patterns.regex.PatternError: column 1: looking behind needs backtracking, which is refused
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl


class PatternError(ValueError):
    """A pattern that cannot be used: where it is wrong, and why."""

    def __init__(self, what: str, at: int | None = None) -> None:
        self.what = what
        self.column = None if at is None else at + 1
        super().__init__(what if at is None else f"column {at + 1}: {what}")


_TOKEN: Final = re.compile(
    r"\\(?:k\{[^}]*\}|k<[^>]*>|.)"  # an escape
    r"|\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]"  # a class
    r"|\(\?(?P<look>=|!|<=|<!|>|P=|P>|\()"
    r"|\(\?P?<(?P<name>[^>]*)>"
    r"|.",
    re.DOTALL,
)
_LOOKS: Final = {
    "=": "looking ahead",
    "!": "looking ahead",
    "<=": "looking behind",
    "<!": "looking behind",
    ">": "an atomic group",
    "P=": "a back-reference",
    "P>": "a recursion",
    "(": "a condition",
}
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_POINTER: Final = 2


def groups_of(pattern: str) -> tuple[str, ...]:
    """Return the names of the groups in order; raises `PatternError` for a pattern that cannot be used."""
    names: list[str] = []
    for token in _TOKEN.finditer(pattern):
        if token["look"]:
            raise PatternError(f"{_LOOKS[token['look']]} needs backtracking, which is refused", token.start())
        if re.fullmatch(r"\\(?:[1-9]|k.+)", token[0]):
            raise PatternError("a back-reference needs backtracking, which is refused", token.start())
        if token["name"] is not None and not _NAME.fullmatch(token["name"]):
            raise PatternError(f"{token['name']!r} cannot name a group: letters, digits and '_'", token.start())
        if token["name"] in names:
            raise PatternError(f"the group {token['name']!r} is there twice", token.start())
        if token["name"]:
            names.append(token["name"])
    _compile(pattern)
    return tuple(names)


def _compile(pattern: str) -> None:
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        lines = str(error).splitlines()
        reason = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[0])
        # The engine shows the pattern in its second line, set in by four, and points at the fault in the third.
        points = len(lines) > _POINTER and lines[0].endswith("parse error:") and "^" in lines[_POINTER]
        raise PatternError(reason, lines[_POINTER].index("^") - 4 if points else None) from error
