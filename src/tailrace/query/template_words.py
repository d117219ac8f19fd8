"""The words of a Go template: where an action opens, what stands in it, and where it closes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query.lexer import string_at
from tailrace.query.literals import MAX_INT64

if TYPE_CHECKING:
    from tailrace.query.template_values import Value

OPEN: Final = re.compile(r"\{\{(-(?=\s))?")
_CLOSE: Final = re.compile(r"\s+-\}\}|\s*\}\}")
_COMMENT: Final = re.compile(r"\s*/\*.*?\*/", re.DOTALL)
_WORD: Final = re.compile(
    r"\s*(?:(?P<field>\.\w[\w.]*|\.)|(?P<variable>\$\w*)|(?P<name>[A-Za-z_]\w*)|(?P<op>:=|[()|=,]))"
)
_SPACE: Final = re.compile(r"\s*")
_NUMBER: Final = re.compile(r"\s*([+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))(?![\w.])")


@dataclass(frozen=True, slots=True)
class Token:
    """One word of an action; `kind` is field, variable, name, op, string, number, or close for the closing braces."""

    kind: str
    text: str
    at: int
    value: Value = None


@dataclass(frozen=True, slots=True)
class Action:
    """What stands between `{{` and `}}`: its words, the closing braces last; none at all for a comment."""

    tokens: list[Token]
    end: int
    trims: bool  # whether the space behind it goes, as `-}}` says


def action(text: str, opening: re.Match[str]) -> Action:
    """Read the action whose opening braces `OPEN` found."""
    at, found = opening.end(), list[Token]()
    comment = _COMMENT.match(text, at)
    at = comment.end() if comment else at
    while not (close := _CLOSE.match(text, at)):
        token, at = _word(text, at, opening.start())
        found.append(token)
    if found or not comment:
        found.append(Token("close", close[0].strip(), close.end() - 2))
    return Action(found, close.end(), close[0].strip().startswith("-"))


def _word(text: str, at: int, opened: int) -> tuple[Token, int]:
    start = _SPACE.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
    if start >= len(text):
        raise QueryError("this action does not end", query=text, position=opened, hint="close it with }}")
    if text[start] in "\"`'":
        string = string_at(text, start)
        return Token("string", string.text, start, string.value), string.end
    if number := _NUMBER.match(text, at):
        value = _constant(number[1])
        if isinstance(value, int) and abs(value) > MAX_INT64:
            raise QueryError(f"the number {number[1]} has more than 64 bits", query=text, position=start)
        return Token("number", number[1], start, value), number.end()
    if word := _WORD.match(text, at):
        return Token(str(word.lastgroup), word[0].strip(), start), word.end()
    raise QueryError(f"unexpected character {text[start]!r} in a template", query=text, position=start)


def _constant(text: str) -> int | float:
    try:
        return int(text, 0)
    except ValueError:
        return float(text)
