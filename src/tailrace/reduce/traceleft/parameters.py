"""Parameters as an aggregation spec writes them: `frequency=100;threshold=0`."""

from __future__ import annotations

import re
from typing import Final

from tailrace.errors import did_you_mean

_PARAMETER: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*([^;]*?)\s*")


def numbers(text: str, known: tuple[str, ...]) -> dict[str, int]:
    """Return `key=number` pairs; raises `ValueError` for anything else."""
    result: dict[str, int] = {}
    for key, value in pairs(text, known).items():
        if not re.fullmatch(r"[+-]?\d+", value):
            raise ValueError(f"{key!r} must be a whole number, not {value!r}")
        result[key] = int(value)
    return result


def pairs(text: str, known: tuple[str, ...]) -> dict[str, str]:
    """Return `key=value` pairs; raises `ValueError` for anything else and for keys that are not known."""
    result: dict[str, str] = {}
    for piece in filter(str.strip, text.split(";")):
        pair = _PARAMETER.fullmatch(piece)
        if pair is None:
            raise ValueError(f"{piece.strip()!r} is no parameter: write key=value, with ';' between them")
        if pair[1] in result:
            raise ValueError(f"the parameter {pair[1]!r} is there twice")
        result[one_of(pair[1], known, "parameter")] = pair[2]
    return result


def one_of(value: str, known: tuple[str, ...], what: str) -> str:
    """Return the value if it is known, else raise `ValueError` with a suggestion."""
    if value not in known:
        hint = did_you_mean(value, known) or f"known: {', '.join(word for word in known if word)}"
        raise ValueError(f"there is no {what} {value!r}; {hint}")
    return value
