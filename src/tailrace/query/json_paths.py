r"""Paths into JSON texts, as `| json label="a.b[0]"` takes them.

A path is keys and indexes: `a`, `a.b`, `a["b c"]`, `a[0]`, `["a"]`. `find` walks a text to the value and returns it as
LogQL shows it: text unescaped, an object or array as its own text, null empty. It reads no further than it must, so
damage behind the value is not noticed.

>>> read_path('a.b["c d"][0]')
('a', 'b', 'c d', 0)
>>> find('{"a": {"b": [1, {"c": 1.50}]}, oops', ("a", "b", 1))
'{"c": 1.50}'
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from tailrace.query.json_labels import clean, decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

Path: TypeAlias = tuple[str | int, ...]

_STEP: Final = re.compile(
    r'(?P<dot>\.)?(?P<field>[A-Za-z_][A-Za-z0-9_]*)|\[\s*(?:(?P<index>[0-9]{1,9})|(?P<key>"(?:[^"\\]|\\.)*"))\s*\]'
)
_SPACE: Final = re.compile(r"[ \t\n\r]*")


def read_path(text: str) -> Path | int:
    """Return the steps of a path, or the index of the character where it goes wrong."""
    steps: list[str | int] = []
    at = 0
    while at < len(text) or not steps:
        match = _STEP.match(text, at)
        if match is None or (match["field"] is not None and (match["dot"] is None) != (at == 0)):
            return at
        if match["index"]:
            steps.append(int(match["index"]))
        elif match["field"]:
            steps.append(match["field"])
        else:
            try:
                steps.append(str(json.loads(match["key"])))
            except ValueError:
                return at
        at = match.end()
    return tuple(steps)


def find(text: str, path: Sequence[str | int]) -> str | None:
    """Return the value at a path as a label's text; None if it is not there, or behind damage."""
    at = _skip(text, 0)
    try:
        for step in path:
            found = _member(text, at, step) if isinstance(step, str) else _element(text, at, step)
            if found is None:
                return None
            at = found
        value, end = decoder().raw_decode(text, at)
    except (ValueError, RecursionError, IndexError):
        return None
    if isinstance(value, str) and text[at] == '"':
        return clean(value)
    return "" if value is None else text[at:end]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _member(text: str, at: int, key: str) -> int | None:
    """Return where the first member of that name begins in the object at `at`."""
    if text[at] != "{":
        return None
    at = _skip(text, at + 1)
    while text[at] == '"':
        name, end = decoder().raw_decode(text, at)
        at = _skip(text, end)
        if text[at] != ":":
            return None
        at = _skip(text, at + 1)
        if name == key:
            return at
        at = _behind(text, at)
    return None


def _element(text: str, at: int, index: int) -> int | None:
    """Return where an element begins in the array at `at`."""
    if text[at] != "[":
        return None
    at = _skip(text, at + 1)
    for _ in range(index):
        at = _behind(text, at)
    return None if text[at] == "]" else at


def _behind(text: str, at: int) -> int:
    """Return where the next member or element begins, behind the value at `at` and its comma."""
    _, end = decoder().raw_decode(text, at)
    end = _skip(text, end)
    if text[end] != ",":
        raise ValueError("no further member")
    return _skip(text, end + 1)
