"""Plain words behind a query: `{app="web"} |= "x" declined -debug`, as one types who clicks into the box and goes on.

Comes in: what was typed, and which labels and fields there are. Goes out: the query that the words narrow down, or
None. Words follow a whole query for lines; what looks like a mistake in LogQL, an operator or the name of a stage, is
no word. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.cursor import RESERVED
from tailrace.query.syntax import LogQuery, Selector
from tailrace.web.explorer.search.box import sugar
from tailrace.web.explorer.texts.search import EVERYTHING

if TYPE_CHECKING:
    from tailrace.web.explorer.search.box.sugar_terms import Known

_MOST_SPLITS: Final = 24
"""More words than that behind a query are none that anybody types; each is tried while the page waits."""

_NO_WORDS: Final = re.compile(r"`|(?:^|\s)(?:'|[^\w\s\"]+(?=\s|$))")
"""Strings of LogQL, and signs that stand alone."""

_SPLIT: Final = re.compile(r"(?:(?<=[}\"`])|(?<=\s))(?=[^\s|])")


def query(text: str, known: Known) -> str | None:
    """Return the LogQL of a query with plain words behind it; None if the text is something else."""
    split = divided(text)
    if split is None:
        return None
    before, words = split
    narrowed = parser.parse(sugar.logql(words, known))
    if not isinstance(narrowed, LogQuery):  # words are always read as a query for lines
        return None
    every = parser.parse_selector(EVERYTHING).matchers
    matchers = [one for one in narrowed.selector.matchers if one not in (*every, *before.selector.matchers)]
    return str(LogQuery(Selector((*before.selector.matchers, *matchers)), (*before.stages, *narrowed.stages)))


def divided(text: str) -> tuple[LogQuery, str] | None:
    """Return the longest query that a text begins with, and the words behind it; None if it is not of both."""
    if len(text) > sugar.MOST_CHARS or not text.lstrip().startswith("{") or _read(text) is not None:
        return None
    places = [match.start() for match in _SPLIT.finditer(text)]
    for place in reversed(places[-_MOST_SPLITS:]):
        before = _read(text[:place])
        if before is not None:
            words = text[place:].strip()
            return (before, words) if _are_words(words) else None
    return None


def _read(text: str) -> LogQuery | None:
    try:
        found = parser.parse(text)
    except QueryError:
        return None
    return found if isinstance(found, LogQuery) else None


def _are_words(text: str) -> bool:
    first = re.match(r"\w*", text)
    if first is None or first[0].lower() in RESERVED:
        return False
    return sugar.is_plain(text) and _NO_WORDS.search(text) is None
