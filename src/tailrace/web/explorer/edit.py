"""Clicks that change the query: they edit its text, so that what is asked is always what is read.

A stream label becomes a matcher of the selector, any other label a label filter at the end of the pipeline.
Pure: query text and click in, query text out.
"""

from __future__ import annotations

import json
from typing import Final

from tailrace.errors import QueryError
from tailrace.query import parser
from tailrace.query.lexer import quote
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import LogQuery, Matcher, Selector

_ANYTHING: Final = (".+", ".*")


def click(kind: str, name: str, value: str) -> str:
    """Return what a button for a label sends: kind `stream` or `field`, name, value."""
    return json.dumps([kind, name, value], ensure_ascii=False, separators=(",", ":"))


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


def needles(query: LogQuery) -> list[str]:
    """Return the texts that lines were searched for, to mark them."""
    filters = (stage for stage in query.stages if isinstance(stage, LineFilter) and stage.op == "|=")
    return [needle.text for one in filters for needle in one.needles if needle.text]


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
    try:
        kind, name, value = json.loads(clicked)
        if {type(kind), type(name), type(value)} == {str}:
            return kind, name, value
    except (ValueError, TypeError):
        pass
    raise QueryError("the click does not name a label and a value")
