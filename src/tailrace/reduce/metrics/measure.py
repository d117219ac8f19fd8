"""What a metric is made from: the text of `from`, read.

>>> parse("field(sent + received)")
Measure(kind='field', arguments=('sent + received',))
>>> parse("duration(event = 'connect', event in ('sent', 'error'), pid)").arguments
("event = 'connect'", "event in ('sent', 'error')", 'pid')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast

from tailrace.errors import did_you_mean

Kind = Literal["lines", "bytes", "open", "field", "delta", "duration"]

_ARGUMENTS: Final[dict[Kind, int]] = {"lines": 0, "bytes": 0, "open": 0, "field": 1, "delta": 1, "duration": 3}
_CALL: Final = re.compile(r"\s*([A-Za-z_]+)\s*(?:\((.*)\))?\s*", re.DOTALL)
_PIECE: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Measure:
    """A kind of measure and the SQL expressions that it takes."""

    kind: Kind
    arguments: tuple[str, ...] = ()


def parse(text: str) -> Measure:
    """Return what a metric is made from; raises `ValueError` that says what there is."""
    found = _CALL.fullmatch(text)
    name = found[1] if found else text.strip()
    if found is None or name not in _ARGUMENTS:
        shapes = "lines, bytes, field(x), delta(x), duration(start, end, key), or open for sessions"
        raise ValueError(f"a metric is not made from {text!r}: {did_you_mean(name, _ARGUMENTS) or shapes}")
    kind = cast("Kind", name)  # it is a key of the table
    arguments = _split(found[2] or "")
    expected = _ARGUMENTS[kind]
    if len(arguments) != expected:
        takes = "nothing in brackets" if not expected else f"{expected} value{'s' * (expected > 1)} in brackets"
        raise ValueError(f"{kind} takes {takes}, got {len(arguments)}")
    return Measure(kind, arguments)


def _split(text: str) -> tuple[str, ...]:
    """Return the arguments: cut at commas outside brackets and quotes."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(text):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return tuple(part.strip() for part in parts) if text.strip() else ()
