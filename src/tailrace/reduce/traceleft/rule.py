r"""Rules of an aggregation spec: conditions over the arguments of one event.

`arg1 == '/tmp/a.txt'` is a rule of `reduce.rules` whose names are the arguments, by number or name, and the common
members. Two things are theirs alone: numbers may be written `0o644`, `0x1ff` or as the name of a flag (`O_CREAT`), and
a descriptor that is compared with a text means the path behind it.

>>> numbers("arg2 == 0o644 and arg3 = O_CREAT or arg1 = '0x10 O_RDWR'")
"arg2 == 420 and arg3 = 64 or arg1 = '0x10 O_RDWR'"
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from tailrace.reduce.rules import Rule
from tailrace.syscalls.events import EVENTS, argument, path_of

if TYPE_CHECKING:
    import polars as pl

_TOKEN: Final = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|\b0[oO][0-7]+\b|\b0[xX][0-9a-fA-F]+\b|\b(?:O|AT)_[A-Z]+\b""")
_EXTRA: Final = {"AT_FDCWD": -100, "AT_SYMLINK_NOFOLLOW": 0x100, "AT_REMOVEDIR": 0x200}


class EventRule:
    """A condition over rows of one event; raises `rules.RuleError` when it is made of a wrong text."""

    def __init__(self, text: str, event: str) -> None:
        self.text = text
        self._event = event
        self._rule = Rule(numbers(text)) if text.strip() else None

    def mask(self, frame: pl.DataFrame) -> pl.Series:
        """Return for each row, all of the rule's event, whether it holds."""
        if self._rule is None:
            return frame.select(_mask=True)["_mask"].new_from_index(0, len(frame))
        columns: dict[str, pl.Series] = {}
        for number, wanted in enumerate(EVENTS.get(self._event, ()), 1):
            for name in (f"arg{number}", wanted.name):
                if re.search(rf"\b{name}\b", self.text):
                    as_path = wanted.kind == "fd" and self._as_text(name)
                    columns[name] = (path_of if as_path else argument)(frame, self._event, number)
        return self._rule.mask(frame.with_columns(series.alias(name) for name, series in columns.items()))

    def _as_text(self, name: str) -> bool:
        """Tell whether a name is compared with a text."""
        comparison = rf"\b{name}\b\s*(?:==?|!=|<>|=~|!~|~|\bnot\b|\bi?like\b|\bin\b|\bregexp\b|[\s(,])*\s*'"
        return bool(re.search(comparison, self.text, re.IGNORECASE))


def numbers(text: str) -> str:
    """Return a rule with octal and hexadecimal numbers and names of flags written in decimal, texts untouched."""

    def number(token: re.Match[str]) -> str:
        word = token[0]
        if word[0] in "'\"":
            return word
        if word[0] == "0":
            return str(int(word, 0))
        value = _EXTRA.get(word, getattr(os, word, None))
        return word if value is None else str(value)

    return _TOKEN.sub(number, text)
