"""A JSON object as flat labels, the way LogQL's `json` stage sees it.

Names are joined by `_`, numbers keep their text, arrays and nulls are left out. Of a damaged
object the members before the damage are kept.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
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
        return _before_damage(line), "the line is not a JSON object"
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
    """Return a text with a space for what is no text: half of a surrogate pair, or bytes that were no UTF-8."""
    return text if text.isascii() else _NO_TEXT.sub(" ", text)


_NO_TEXT: Final = re.compile("[\ud800-\udfff\ufffd]")


def _before_damage(line: str) -> Pairs:
    """Return the labels that can be read before the first damage, those of a broken object within included."""
    found: Pairs = []
    with suppress(ValueError, RecursionError, IndexError):  # there it is
        _walk(line, _skip(line, 0), "", found)
    return found


def _walk(text: str, at: int, prefix: str, found: Pairs) -> int:
    """Read the object at `at`, member by member; return where it ends."""
    if text[at] != "{":
        raise ValueError("no object")
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if not isinstance(name, str) or text[at] != ":":
            raise ValueError("no member")
        at = _skip(text, at + 1)
        if text[at] == "{":
            at = _walk(text, at, prefix + name.strip() + "_", found)
        else:
            value, at = _DECODER.raw_decode(text, at)
            found.extend(_flat(_Object([(name, value)]), prefix))
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        elif text[at] != "}":
            raise ValueError("no further member")
    return at + 1


def _skip(text: str, at: int) -> int:
    while text[at : at + 1] in _SPACE:
        at += 1
    return at


_SPACE: Final = frozenset(" \t\r\n")
