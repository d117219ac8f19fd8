r"""Patterns as RE2 reads them, written for the engine that runs them (the Rust crate `regex`).

The two agree on nearly everything. Here is the rest: in RE2 `\d \w \s \b` know ASCII only, `{` that begins no
repetition stands for itself, so do `[ && -- ~~` within a class and `\<` `\>`, and `\Q…\E` quotes.

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
