r"""Tests of labels in routes, inhibitions and silences: `=`, `!=`, `=~`, `!~`.

Comes in: text, as `{severity="page", "service name"=~"a.*"}` or without braces. Goes out: `Matcher`s. Both of
Alertmanager's spellings are read: the one in which every character may be part of a name when it is quoted, and the
older one, in which names are plain and a value without quotes may hold spaces. Where both can read a text and
differ, the older one counts, as files of that time mean it. A regular expression must match a whole value; a label
that is not there has the empty value.

>>> [str(one) for one in matchers('{severity="page", host!~"a.*"}')]
['severity="page"', 'host!~"a.*"']
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, cast

import polars as pl

from tailrace.errors import DataError
from tailrace.query.regexes import anchored, problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Op = Literal["=", "!=", "=~", "!~"]

_SIMPLE: Final = re.compile(
    r"(?:[A-Za-z0-9_/:@ |-]|\.(?![*+?]))*(?:\.[*+](?![*+?])(?:[A-Za-z0-9_/:@ |-]|\.(?![*+?]))*){0,2}"
)
"""Patterns that take Python no time: without groups, and with two repetitions at most. With six of them it tries for
seconds on a value of a hundred characters; the engine of the queries never does."""

MOST_CHARS: Final = 8_192
"""Length of a list of tests: reading one takes the square of it."""
_OLD: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!=|!~|=)\s*(.*?)\s*", re.DOTALL)
_OLD_CUT: Final = re.compile(r',(?=(?:[^"\\]|\\.|"(?:[^"\\]|\\.)*")*\Z)', re.DOTALL)
_OLD_ESCAPE: Final = re.compile(r'\\([n"\\])')
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<op>=~|!~|!=|=)|(?P<mark>[{},])|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<word>[^\s{}!=~,\\"\'`]+))', re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_PLAIN: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LETTERS: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}


@dataclass(frozen=True, slots=True, order=True)
class Matcher:
    """One test of a label."""

    name: str
    op: Op
    value: str

    def __str__(self) -> str:
        """Write it as it is read."""
        name = self.name if _PLAIN.fullmatch(self.name) else json.dumps(self.name, ensure_ascii=False)
        return f"{name}{self.op}{json.dumps(self.value, ensure_ascii=False)}"

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a label set passes."""
        found = labels.get(self.name, "")
        same = _whole(self.value, found) if self.op in ("=~", "!~") else found == self.value
        return same == (self.op in ("=", "=~"))


@lru_cache(maxsize=65_536)
def _whole(pattern: str, value: str) -> bool:
    """Tell whether a pattern matches a whole value.

    Remembered, since the engine is made for many values at once and takes 0.5 ms for one. What most people write means
    the same to Python, in a hundredth of that.
    """
    if _SIMPLE.fullmatch(pattern):
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    return bool(pl.Series([value]).str.contains(anchored(pattern)).item())


def all_match(tests: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether a label set passes every test."""
    return all(test.matches(labels) for test in tests)


def matchers_text(tests: Sequence[Matcher]) -> str:
    """Write several tests as one text, sorted: what keys are made of.

    >>> matchers_text(matchers("b=1,a=2"))
    '{a="2",b="1"}'
    """
    return "{" + ",".join(str(test) for test in sorted(tests)) + "}"


def matcher(name: str, op: str, value: str) -> Matcher:
    """Return a test after it was checked; `DataError` says what is wrong with it."""
    if not name:
        raise DataError("a matcher needs the name of a label")
    if op not in ("=", "!=", "=~", "!~"):
        raise DataError(f"{op!r} is no test of a label: write =, !=, =~ or !~")
    if op in ("=~", "!~") and (found := problem(value)):
        raise DataError(f"the regular expression {value!r} is wrong at character {found[0] + 1}: {found[1]}")
    return Matcher(name, cast("Op", op), value)  # one of the four, which the type cannot know


def matchers(text: str) -> tuple[Matcher, ...]:
    """Read one or several tests, separated by commas, in braces or not."""
    if len(text) > MOST_CHARS:
        raise DataError(f"a list of tests of labels has at most {MOST_CHARS} characters, this one has {len(text)}")
    try:
        new = _read(text)
    except DataError as error:
        try:
            return _read_old(text)
        except DataError:
            raise error from None
    try:
        old = _read_old(text)
    except DataError:
        return new
    return old


def _read(text: str) -> tuple[Matcher, ...]:
    """Read the newer spelling."""
    tokens = _tokens(text)
    braces = bool(tokens) and tokens[0] == ("mark", "{")
    if braces and tokens[-1:] != [("mark", "}")]:
        raise DataError(f"{text!r}: the closing brace is missing")
    if braces:
        tokens = tokens[1:-1]
    found: list[Matcher] = []
    while tokens:
        kinds = [kind for kind, _ in tokens[:4]]
        if len(kinds) < 3 or kinds[0] not in ("word", "quoted") or kinds[1] != "op":  # noqa: PLR2004  name, test, value
            raise DataError(f'{text!r} is no list of tests of labels: write severity="page", host=~"web.*"')
        if kinds[2] not in ("word", "quoted"):
            raise DataError(f"{text!r}: no value after {tokens[0][1]}{tokens[1][1]}")
        if len(kinds) > 3 and tokens[3] != ("mark", ","):  # noqa: PLR2004
            raise DataError(f"{text!r}: expected a comma after {tokens[2][1]!r}, found {tokens[3][1]!r}")
        found.append(matcher(tokens[0][1], tokens[1][1], tokens[2][1]))
        tokens = tokens[4:]
    return tuple(found)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = list[tuple[str, str]](), 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise DataError(f"{text!r}: unexpected {text[at:].strip()[:1]!r} at character {at + 1}")
        value = match[match.lastgroup]
        tokens.append((match.lastgroup, _unquoted(value) if match.lastgroup == "quoted" else value))
        at = match.end()
    return tokens


def _unquoted(text: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        escape = match[1]
        if escape in _LETTERS:
            return _LETTERS[escape]
        if escape[0] in "uU" and len(escape) > 1 and int(escape[1:], 16) <= 0x10FFFF:  # noqa: PLR2004  last of Unicode
            return chr(int(escape[1:], 16))
        if escape[0] == "x" and len(escape) > 1:
            return chr(int(escape[1:], 16))
        if len(escape) == 3:  # noqa: PLR2004  octal
            return chr(int(escape, 8))
        raise DataError(f"{text}: \\{escape} is no escape; write \\\\ for a backslash")

    return _ESCAPE.sub(replaced, text[1:-1])


def _read_old(text: str) -> tuple[Matcher, ...]:
    """Read the older spelling."""
    inner = text.strip()
    inner = inner.removeprefix("{")
    inner = inner.removesuffix("}")
    parts = _OLD_CUT.split(inner)
    if parts and not parts[-1].strip():
        parts = parts[:-1]  # a comma at the end
    return tuple(_one_old(part) for part in parts)


def _one_old(text: str) -> Matcher:
    match = _OLD.fullmatch(text)
    if match is None:
        raise DataError(f'{text!r} is no test of a label: write severity="page"')
    name, op, value = match.groups()
    if value.startswith('"'):
        if len(value) == 1 or not value.endswith('"') or re.search(r'(?<!\\)(?:\\\\)*"', value[1:-1]):
            raise DataError(f"{text!r}: a quote in the value is not closed")
        value = value[1:-1]
    elif re.search(r'(?<!\\)(?:\\\\)*"', value):
        raise DataError(f"{text!r}: a quote in the value has no backslash before it")
    return matcher(name, op, _OLD_ESCAPE.sub(lambda one: "\n" if one[1] == "n" else one[1], value))
