r"""Patterns as RE2 reads them, written for the engine that runs them (the Rust crate `regex`).

The two agree on nearly everything. Here is the rest: in RE2 `\d \w \s \b` know ASCII only, `{` that begins no
repetition stands for itself, so do `[ && -- ~~` within a class and `\<` `\>`, and `\Q…\E` quotes. What only the engine
knows is refused: repetitions of repetitions (`a*+`), or of more than 1000; the flags `x`, `u` and `R`; `\u0041`.

>>> translated(r'\bid=\d+ {"a"'), translated(r"[^[\w]"), translated(r"\Qa.b\E+")
('(?-u:\\b)id=[0-9]+ \\{"a"', '[^\\[0-9A-Za-z_]', 'a\\.b+')
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_OUTSIDE: Final = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)|(?P<named>\\[pPx]\{[^}]*\})|\\(?P<escape>.)|(?P<open>\[\^?\]?)"
    r"|(?P<repeat>\{[0-9]+(?:,[0-9]*)?\})|(?P<brace>\{)|[^\\\[{]+|.",
    re.DOTALL,
)
_INSIDE: Final = re.compile(
    r"(?P<named>\\[pPx]\{[^}]*\}|\[:\^?[a-z]+:\])|\\(?P<escape>.)|(?P<close>\])|(?P<set>\[|&&|--|~~)|[^\\\[\]&~-]+|.",
    re.DOTALL,
)
_PIECE: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\[pPx]\{[^}]*\}|\\(?P<unknown>[uU])|\\.|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]"
    r"|\(\?(?P<flags>[A-Za-z-]*)(?P<shut>\))?:?|(?P<open>\()|(?P<close>\))"
    r"|(?P<repeat>(?:[*+?]|\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]*))?\})\??)|.",
    re.DOTALL,
)
_FLAGS: Final = frozenset("imsU-P")
_REPEATS: Final = 1000
_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}


@lru_cache(maxsize=1024)
def translated(pattern: str) -> str:
    """Return the pattern that means the same to the engine; a mistake in it stays a mistake."""
    done: list[str] = []
    at, inside = 0, False
    while match := (_INSIDE if inside else _OUTSIDE).match(pattern, at):
        done.append(_within(match) if inside else _apart(match))
        inside = match.lastgroup == "open" or (inside and match.lastgroup != "close")
        at = match.end()
    return "".join(done)


def _apart(match: re.Match[str]) -> str:
    """Return a piece outside of a class."""
    match match.lastgroup:
        case "quoted":
            return re.escape(match["quoted"])
        case "brace":
            return r"\{"
        case "escape":
            letter = match["escape"]
            if letter.lower() in _CLASSES:
                return f"[{'^' if letter.isupper() else ''}{_CLASSES[letter.lower()]}]"
            if letter in "bB":
                return rf"(?-u:\{letter})"
            return letter if letter in "<>" else match[0]
    return match[0]


def _within(match: re.Match[str]) -> str:
    """Return a piece of a class."""
    if match.lastgroup == "set":
        return f"{match[0][:-1]}\\{match[0][-1]}"
    if match.lastgroup != "escape":
        return match[0]
    letter = match["escape"]
    if letter in _CLASSES:
        return _CLASSES[letter]
    return f"[^{_CLASSES[letter.lower()]}]" if letter.lower() in _CLASSES else match[0]


@lru_cache(maxsize=1024)
def refused(pattern: str) -> tuple[int, str] | None:
    """Return where and why RE2 refuses what the engine may accept, or None.

    >>> refused("a*+"), refused("(a{50}){50}"), refused("a*?b{1000}")
    ((2, 'a repetition of a repetition'), (7, 'more than 1000 repetitions'), None)
    """
    inner = [1]  # per open group, how often a part of it is repeated
    atom, repeated = 1, False  # of what stood last
    for piece in _PIECE.finditer(pattern):
        if piece["repeat"]:
            if repeated:
                return piece.start(), "a repetition of a repetition"
            times = max(int(piece["least"] or 1), int(piece["most"] or 1))
            atom *= times
            if max(times, atom) > _REPEATS:
                return piece.start(), f"more than {_REPEATS} repetitions"
        elif piece["unknown"]:
            return piece.start(), "unrecognized escape sequence"
        elif piece["flags"] and not _FLAGS.issuperset(piece["flags"]):
            return piece.start(), "unrecognized flag"
        elif piece["open"] or (piece["flags"] is not None and not piece["shut"]):
            inner.append(1)
            atom = 1
        elif piece["close"] and len(inner) > 1:
            atom = inner.pop()
        else:
            atom = 1
        repeated = bool(piece["repeat"])
        inner[-1] = max(inner[-1], atom)
    return None
