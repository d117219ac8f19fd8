"""The words of a rule: names, numbers, texts and signs, each with its place.

>>> [word.text for word in words("status >= 0x1F")]
['status', '>=', '0x1F', '']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tailrace.reduce.rule_tree import RuleError

_WORD: Final = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>0[xX][0-9a-fA-F]+|0[oO][0-7]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<text>'(?:[^']|'')*')"
    r'|(?P<quoted>"(?:[^"]|"")*"|`[^`]*`)'
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<sign>!~\*|!~|=~|~\*|\^@|==|!=|<>|<=|>=|&&|\|\||[-=<>()+*/%,~!])"
)
_MOST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a rule, at a character from 0."""

    kind: str  # number, text, quoted, word, sign, end
    text: str
    at: int

    @property
    def lower(self) -> str:
        """The word in small letters; nothing for a value or a quoted name."""
        return self.text.lower() if self.kind in {"word", "sign"} else ""

    def said(self) -> str:
        """Return the word as a message names it."""
        return "the rule ends" if self.kind == "end" else f"found {self.text!r}"

    def number(self) -> int | float:
        """Return the value of a number."""
        if self.text[:2].lower() in {"0x", "0o"}:
            value = int(self.text, 0)
        elif self.text.isdigit():
            value = int(self.text)
        else:
            return float(self.text)
        if value > _MOST:
            raise RuleError(f"a whole number goes up to {_MOST:,}", self.at, "put it in quotes")
        return value


def words(text: str) -> list[Word]:
    """Return the words of a rule, and one that is its end; raises `RuleError`."""
    result: list[Word] = []
    at = 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            raise _unreadable(text, at)
        if found.lastgroup != "space":
            result.append(Word(str(found.lastgroup), found[0], at))
        at = found.end()
    return [*result, Word("end", "", len(text))]


def _unreadable(text: str, at: int) -> RuleError:
    if text[at] in "'\"`":
        return RuleError("a quote is opened and not closed", at, f"write {text[at]} at its end")
    if text[at] == ";":
        return RuleError("a rule is one condition, without ';'", at, "remove it")
    return RuleError(f"{text[at]!r} means nothing here", at, "put text in single quotes")
