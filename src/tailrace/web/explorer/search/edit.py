"""Clicks that change the query: they edit its text, so that what is asked is always what is read.

A stream label becomes a matcher of the selector, any other label a label filter at the end of the pipeline.
Pure: query text and click in, query text out.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.lexer import quote
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import LogQuery, Matcher, Selector
from tailrace.web.explorer.search.box.sugar_terms import literal as escaped

_ANYTHING: Final = (".+", ".*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ANY_CASE: Final = "(?i)"


def click(base: str, way: str, kind: str, name: str, value: str) -> str:
    """Return the address of a click: what it keeps (`way` `in`) or leaves out (`out`), `base` the state it is made in.

    Links, and not buttons of one form: a browser takes time by the square of the number of such buttons.
    """
    clicked = quote_plus(f"{kind}.{name}={value}")
    return f"/explore/edit?{base}&{way}={clicked}" if base else f"/explore/edit?{way}={clicked}"


def edited(query: str, clicked: str, keep: bool) -> str:
    """Return the query that keeps, or leaves out, the lines of the clicked value."""
    kind, name, value = _read(clicked)
    tree = parser.parse(query)
    if not isinstance(tree, LogQuery):
        raise QueryError("a metric query cannot be filtered by a click", hint="edit its text")
    if kind == "stream":
        return str(LogQuery(_with_matcher(tree.selector, name, value, keep), tree.stages))
    condition = f"{name}{'=' if keep else '!='}{quote(value)}"
    text = str(tree)
    return text if f"| {condition}" in text else f"{text} | {condition}"


def finds(query: LogQuery) -> list[str]:
    """Return what lines were searched for, as patterns of `re` to mark it; of regexes only those that spell a word."""
    filters = [stage for stage in query.stages if isinstance(stage, LineFilter)]
    texts = [re.escape(needle.text) for one in filters if one.op == "|=" for needle in one.needles if needle.text]
    regexes = [needle.text for one in filters if one.op == "|~" for needle in one.needles]
    return texts + [pattern for regex in regexes if (pattern := _spelled(regex))]


def _spelled(regex: str) -> str:
    """Return the pattern of a regex that stands for one word, else an empty text."""
    literal = regex.removeprefix(_ANY_CASE)
    word = re.sub(r"\\(.)", r"\1", literal)
    if not word or escaped(word) != literal:
        return ""
    return re.escape(word) if literal == regex else f"(?i:{re.escape(word)})"


def _with_matcher(selector: Selector, name: str, value: str, keep: bool) -> Selector:
    """Add a test of a stream label; it takes the place of one that any value passes, or of one for a single value."""
    wanted = Matcher(name, "=" if keep else "!=", value)

    def stays(matcher: Matcher) -> bool:
        if matcher.name != name:
            return True
        loose = matcher.op == "=~" and matcher.value in _ANYTHING
        return matcher != wanted and not (keep and (loose or matcher.op in {"=", "!="}))

    return Selector((*filter(stays, selector.matchers), wanted))


def _read(clicked: str) -> tuple[str, str, str]:
    label, equals, value = clicked.partition("=")
    kind, _, name = label.partition(".")
    if not equals or kind not in {"stream", "field"} or not _NAME.fullmatch(name):
        raise QueryError("the click does not name a label and a value")
    return kind, name, value
