"""What a mistaken query may have meant: proposals that the page offers under the mistake, each of which can be run.

Comes in: the mistake, with the query and the place. Goes out: queries, the likeliest first; only those that can be
parsed. Pure: candidates are edits of the text, and the parser decides.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.lexer import quote
from tailrace.query.syntax import LogQuery, Number
from tailrace.web.explorer.search.box.sugar_logql import as_text
from tailrace.web.explorer.texts.search import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST: Final = 3
MOST_CHARS: Final = 2_000
"""A longer query gets no proposals: they are tried while the page waits."""

_MEANT: Final = re.compile(r"did you mean '([^']+)'\?")
_QUOTE_IT: Final = re.compile(r'^put it in quotes: (".*")$')
_WRITE: Final = re.compile(r"^write (\|= .+)$")
_UNITS: Final = re.compile(
    r"(?<=\d)\s*(m)in(?:ute)?s?\b|(?<=\d)\s*(s)ec(?:ond)?s?\b|(?<=\d)\s*(h)(?:ou)?rs?\b|(?<=\d)\s*(d)ays?\b"
)
_WORD: Final = re.compile(r"\w+|.", re.DOTALL)
_QUOTES: Final = str.maketrans("\u201c\u201d\u201e\u2018\u2019", '"""\'\'')  # those of word processors
_SINGLE: Final = re.compile(r"'([^'\n]*)'")
_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_CLOSING: Final = {"{": "}", "(": ")", "[": "]"}
_TESTS: Final = re.compile(
    r'\s*\w+\s*(?:=~|!~|!=|=)\s*(?:"[^"]*"|`[^`]*`)(?:\s*,\s*\w+\s*(?:=~|!~|!=|=)\s*(?:"[^"]*"|`[^`]*`))*'
)


def repairs(error: QueryError) -> list[str]:
    """Return what may have been meant, at most `MOST` queries."""
    if error.query is None or len(error.query) > MOST_CHARS:
        return []
    found: dict[str, None] = {}
    for candidate in _candidates(error, error.query):
        if candidate != error.query and _runs(candidate):
            found.setdefault(candidate)
        if len(found) == MOST:
            break
    widened = _widened(error.query)
    return list(found) or [widened] * _runs(widened)


def as_words(text: str) -> str:
    """Return the query for lines that hold a text as it stands: for what was never meant as LogQL."""
    return as_text(" ".join(text.split()))


def _runs(query: str) -> bool:
    try:
        return not isinstance(parser.parse(query), Number)
    except QueryError:
        return False


def _candidates(error: QueryError, query: str) -> Iterator[str]:
    at = error.position if error.position is not None else len(query)
    word = _WORD.match(query, at)
    if word:
        for meant in (*_MEANT.findall(error.hint), *_QUOTE_IT.findall(error.hint)):
            yield query[:at] + meant + query[word.end() :]
        for meant in _WRITE.findall(error.hint):
            string = _STRING.search(query, at)
            yield query[:at] + meant + query[string.end() if string else word.end() :]
    yield from _spelled(query)
    for once in dict.fromkeys((query, *_spelled(query))):
        yield from _braced(once)
        yield _closed(once)
        yield _closed(_ended(once))
    yield from _measured(query)


def _spelled(query: str) -> Iterator[str]:
    """Write quotes, operators and units of other languages as LogQL has them: first the least of it, then all."""
    straight = query.translate(_QUOTES)
    yield straight
    double = _SINGLE.sub(lambda match: quote(match[1]), straight)
    yield double
    words = _outside(double, lambda text: text.replace("&&", " and ").replace("||", " or "))
    yield words
    ordered = _outside(words, lambda text: text.replace("=>", ">=").replace("=<", "<="))
    yield ordered
    units = _outside(ordered, lambda text: _UNITS.sub(lambda match: "".join(filter(None, match.groups())), text))
    yield units
    yield re.sub(r"(?<=[\w\s])==(?=\s*[\"`])", "=", units)
    yield _outside(units, lambda text: re.sub(r"\|(?=\s*$)", "|=", text))


def _outside(query: str, change: Callable[[str], str]) -> str:
    """Change what stands outside of strings."""
    pieces, last = [], 0
    for match in _STRING.finditer(query):
        pieces += [change(query[last : match.start()]), match[0]]
        last = match.end()
    return "".join([*pieces, change(query[last:])])


def _braced(query: str) -> Iterator[str]:
    """Give the query the selector that it has not, or has not in braces."""
    stripped = query.strip()
    if stripped.startswith(("|", "!=", "!~", '"', "`")):
        yield f"{EVERYTHING} {stripped if stripped[0] in '|!' else '|= ' + stripped}"
    tests = _TESTS.match(stripped)
    if tests:
        rest = stripped[tests.end() :].removeprefix("}")
        yield f"{{{tests[0].strip()}}}{rest}"


def _widened(query: str) -> str:
    """Give the selector a matcher that every stream passes: one that refuses nothing is not taken."""
    empty = re.compile(r"^\s*\{\s*\}")
    if empty.match(query):
        return empty.sub(lambda _: EVERYTHING, query)
    return re.sub(r"^\s*\{", lambda _: f"{EVERYTHING[:-1]}, ", query)


def _ended(query: str) -> str:
    """Leave out operators at the end that have nothing behind them."""
    ended = ""
    while ended != query:
        ended, query = query, re.sub(r"(?<!\w)(?:and|or)$", "", query.rstrip("|, \t\n"))
    return ended


def _closed(query: str) -> str:
    """Close what is open at the end: a string, then brackets."""
    rest = _STRING.sub(lambda match: " " * len(match[0]), query)
    end = '"' if rest.count('"') % 2 else "`" if rest.count("`") % 2 else ""
    rest = rest.split(end)[0] if end else rest
    open_ones: list[str] = []
    for char in rest:
        if char in _CLOSING:
            open_ones.append(_CLOSING[char])
        elif open_ones and char == open_ones[-1]:
            open_ones.pop()
    return query + end + "".join(reversed(open_ones))


def _measured(query: str) -> Iterator[str]:
    """Give a function the range or the count that it lacks."""
    if not query.rstrip().endswith(")"):
        return
    match = re.fullmatch(r"\s*(.*?)(\w+)((?:\s+(?:by|without)\s*\([^()]*\))?\s*)\((.*)\)\s*", query, re.DOTALL)
    if match is None:
        return
    before, name, grouping, inner = match.groups()
    yield f"{before}{name}{grouping}({inner} [5m])"
    try:
        is_log = isinstance(parser.parse(inner), LogQuery)
    except QueryError:
        return
    if is_log:
        yield f"{before}{name}{grouping}(count_over_time({inner} [5m]))"
