"""Plain words to LogQL: `error status:>=500 pod:web-1 -debug "timed out" path:/api* level:error`.

Comes in: what was typed, and which labels and fields there are. Goes out: LogQL that says the same, which the page
shows in place of the words. All terms must hold; `OR` joins the two beside it, and binds tighter. Any text is read as
something: what names no known label or field is searched for as it stands, so `localhost:8080` finds itself. Texts that
are LogQL, or are meant to be, are none of this module's business: `is_plain` tells them apart. Pure.

Words are found in any case, quoted ones exactly; `*` stands for any characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.batch import LEVELS
from tailrace.errors import QueryError
from tailrace.query import functions, parser
from tailrace.query.syntax import Number
from tailrace.web.explorer.search.box.sugar_logql import written
from tailrace.web.explorer.search.box.sugar_terms import LEVEL_KEY, QUOTED, Known, Term, Text, read_test, unquoted

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CHARS: Final = 2_000
"""More is no plain words that anybody types; reading takes time by the square of the length, here at most 20 ms."""

_STRINGS: Final = re.compile(rf"{QUOTED}|`[^`]*`", re.DOTALL)
_MEANT: Final = re.compile(
    r"[{}|]|[!=]~\s*\"|^\s*!=|\[\s*\d+\w*\s*\]"
    rf"|(?:^|[^\w.])(?:{'|'.join((*functions.RANGE, *functions.VECTOR))})\s*(?:\(|by\b|without\b)"
)
"""What only someone who writes LogQL has outside of quotes: braces, pipes, ranges, functions."""

_TERM: Final = re.compile(
    r"\s*(?P<minus>-(?=[^\s-]))?(?:"
    rf"(?P<key>[A-Za-z_][\w.-]*?)(?P<op>:(?:[<>]=?|[!=]?=)?|[<>!=]=|[=<>])(?P<value>(?:{QUOTED}|[^\s\",])(?:{QUOTED}|[^\s\"])*)"
    rf"|(?P<quoted>{QUOTED})(?=\s|$)"
    r"|(?P<word>\S+))",
    re.DOTALL | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _Read:
    term: Term
    joined: bool  # by `OR` to the one before


def is_plain(text: str) -> bool:
    """Tell whether a text is plain words: no LogQL, and not meant to be; a lone number is a word."""
    if not text.strip() or len(text) > MOST_CHARS:
        return False
    if means_logql(text):
        return False
    try:
        return isinstance(parser.parse(text), Number)
    except QueryError:
        return True


def means_logql(text: str) -> bool:
    """Tell whether a text has, outside of quotes, what only LogQL has; it may be unfinished."""
    return _MEANT.search(_STRINGS.sub('""', text)) is not None


def logql(text: str, known: Known) -> str:
    """Return the LogQL that plain words stand for."""
    clauses: list[list[Term]] = []
    for read in _terms(text, known):
        if read.joined and clauses:
            clauses[-1].append(read.term)
        else:
            clauses.append([read.term])
    return written(clauses)


def by_level(text: str) -> str:
    """Return the words with those that name a level tested as such; empty if there is none, or a level is tested.

    Of JSON lines the level is a member, and often no part of what is searched as text.

    >>> by_level('error -debug "fatal" status:500')
    'level:error -level:debug "fatal" status:500'
    """
    pieces, last = [], 0
    for match in _TERM.finditer(text):
        if match["key"] == LEVEL_KEY:
            return ""
        if match["word"] and match["word"].lower() in LEVELS:
            at = match.start("word")
            pieces += [text[last:at], f"{LEVEL_KEY}:"]
            last = at
    return "".join([*pieces, text[last:]]) if pieces else ""


def _terms(text: str, known: Known) -> Iterator[_Read]:
    """Read terms from left to right; `OR`, `AND` and `NOT` are words of the language in capitals only."""
    matches = list(_TERM.finditer(text.strip()))
    last = len(matches) - 1
    joined, negated = False, False
    for number, match in enumerate(matches):
        word = match["word"] if not match["minus"] else None
        if word in {"OR", "AND"} and 0 < number < last:
            joined = word == "OR"
            continue
        if word == "NOT" and number < last:
            negated = not negated
            continue
        term = _term(match, known)
        if term is not None:
            keep = term.keep is not negated
            yield _Read(term if keep is term.keep else term.opposite(), joined)
        joined, negated = False, False


def _term(match: re.Match[str], known: Known) -> Term | None:
    keep = match["minus"] is None
    if match["quoted"]:
        text = unquoted(match["quoted"])
        return Text(text, keep, exact=True) if text else None
    if match["key"]:
        test = read_test(match["key"], match["op"], match["value"], known)
        if test is not None:
            return test if keep else test.opposite()
    word: str = match["word"] or match["key"] + match["op"] + match["value"]
    return Text(word, keep) if word.strip("*") else None
