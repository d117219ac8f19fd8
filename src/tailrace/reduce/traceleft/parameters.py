"""Parameters as an aggregation spec writes them: `frequency=100;threshold=0`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tailrace.errors import did_you_mean
from tailrace.settings import Mistake, Mistakes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PARAMETER: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*([^;]*?)\s*")


def numbers(text: str, known: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    """Return `key=number` pairs; raises `Mistakes` for anything else, and beyond the bounds of a key."""
    result: dict[str, int] = {}
    wrong: list[Mistake] = []
    for key, value in _pairs(text, known, wrong).items():
        least, most = known[key]
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            wrong.append(Mistake(f"{key!r} must be a whole number, not {value!r}", f"write {key}=1"))
        elif not least <= int(value) <= most:
            wrong.append(Mistake(f"{key!r} must be from {least:,} to {most:,}, not {int(value):,}"))
        else:
            result[key] = int(value)
    if wrong:
        raise Mistakes(wrong)
    return result


def pairs(text: str, known: Iterable[str]) -> dict[str, str]:
    """Return `key=value` pairs; raises `Mistakes` for anything else and for keys that are not known."""
    wrong: list[Mistake] = []
    result = _pairs(text, known, wrong)
    if wrong:
        raise Mistakes(wrong)
    return result


def _pairs(text: str, known: Iterable[str], wrong: list[Mistake]) -> dict[str, str]:
    result: dict[str, str] = {}
    for piece in filter(str.strip, text.split(";")):
        pair = _PARAMETER.fullmatch(piece)
        if pair is None:
            wrong.append(Mistake(f"{piece.strip()!r} is no parameter", "write key=value, with ';' between them"))
        elif pair[1] in result:
            wrong.append(Mistake(f"the parameter {pair[1]!r} is there twice", "remove one"))
        elif pair[1] not in known:
            wrong.append(_unknown(pair[1], known, "parameter"))
        else:
            result[pair[1]] = pair[2]
    return result


def one_of(value: str, known: Iterable[str], what: str) -> str:
    """Return the value if it is known, else raise `Mistake` with a suggestion."""
    if value not in known:
        raise _unknown(value, known, what)
    return value


def _unknown(value: str, known: Iterable[str], what: str) -> Mistake:
    words = [word for word in known if word]
    return Mistake(f"there is no {what} {value!r}", did_you_mean(value, words) or f"known: {', '.join(words)}")
