"""A JSON object as flat labels, the way LogQL's `json` stage sees it.

Names are joined by `_`, numbers keep their text, arrays and nulls are left out. Of a damaged
object the members before the damage are kept.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from tailrace.query.parsed import Pairs


class _Object(list[tuple[str, object]]):
    """The members of an object, in order, repeated names included."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_refuse, strict=False
)


def decoder() -> json.JSONDecoder:
    """Return the decoder that keeps numbers as they are written and objects as lists of members."""
    return _DECODER


def read_object(line: str) -> tuple[Pairs, str | None]:
    r"""Return the labels of a line, and why the rest could not be read.

    >>> read_object('{"a": 1e3, "b": {"c": true}, "d": [1], "e": null}')
    ([('a', '1e3'), ('b_c', 'true')], None)
    >>> read_object('{"a": 1, oops')
    ([('a', '1')], 'the line is not a JSON object')
    """
    try:
        value = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return _flat(_before_damage(line)), "the line is not a JSON object"
    if not isinstance(value, _Object):
        return [], "the line is not a JSON object"
    return _flat(value), None


def _flat(members: _Object, prefix: str = "") -> Pairs:
    found: Pairs = []
    for name, value in members:
        if isinstance(value, str):
            found.append((prefix + name, clean(value)))
        elif isinstance(value, bool):
            found.append((prefix + name, "true" if value else "false"))
        elif isinstance(value, _Object):
            found.extend(_flat(value, prefix + name.strip() + "_"))
    return found


def clean(text: str) -> str:
    """Return a text without lone surrogates, which no UTF-8 can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _before_damage(line: str) -> _Object:
    """Return the members that can be read before the first damage."""
    members = _Object()
    rest = line.lstrip()
    if not rest.startswith("{"):
        return members
    rest = rest[1:]
    try:
        while True:
            name, end = _DECODER.raw_decode(rest.lstrip())
            rest = rest.lstrip()[end:].lstrip()
            if not isinstance(name, str) or not rest.startswith(":"):
                return members
            rest = rest[1:].lstrip()
            value, end = _DECODER.raw_decode(rest)
            rest = rest[end:].lstrip()
            members.append((name, value))
            if not rest.startswith(","):
                return members
            rest = rest[1:]
    except (ValueError, RecursionError):
        return members
