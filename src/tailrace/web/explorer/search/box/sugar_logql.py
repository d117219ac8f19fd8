"""Terms of plain words written as LogQL: matchers of the selector first, then what is looked for in lines, then fields.

An `OR` between texts is a line filter with alternatives, one between tests a label filter. LogQL has none between a
text and a test, so for that the line is made a label for a moment. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.query import parser
from tailrace.query.matching import accepts
from tailrace.query.stages.drop import Drop
from tailrace.query.stages.label_filter import LabelFilter
from tailrace.query.stages.label_format import LabelFormat, Setting
from tailrace.query.stages.line_filter import LineFilter, Needle
from tailrace.query.syntax import LogQuery, Matcher, Selector
from tailrace.web.explorer.search.box.sugar_terms import LabelTest, Term, Text, any_of, globbed, literal
from tailrace.web.explorer.texts.search import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.query.stages.label_filter import Condition
    from tailrace.query.syntax import Stage

_ANY_CASE: Final = "(?i)"
_LINE: Final = "searched_line"
"""The label that holds the line where a text and a test are alternatives."""

_LINE_AS_LABEL: Final = LabelFormat((Setting(_LINE, template="{{__line__}}"),))


def written(clauses: Sequence[Sequence[Term]]) -> str:
    """Return the query for lines that pass all clauses, each of them by any of its terms."""
    every = [matcher for clause in clauses if (matcher := _matcher(clause)) is not None]
    left = [clause for clause in clauses if _matcher(clause) is None]
    lines: list[Stage] = [_line_filter(clause) for clause in left if _in_line(clause)]
    mixed = [clause for clause in left if not _in_line(clause) and any(isinstance(term, Text) for term in clause)]
    tests = [clause for clause in left if not any(isinstance(term, Text) for term in clause)]
    stages = [*lines, *(LabelFilter(any_of([_condition(term) for term in clause])) for clause in tests)]
    if mixed:
        found = (LabelFilter(any_of([_condition(term) for term in clause])) for clause in mixed)
        stages += [_LINE_AS_LABEL, *found, Drop((_LINE,))]
    return str(LogQuery(_selector(every), tuple(stages)))


def as_text(text: str) -> str:
    """Return the query for lines that hold a text as it stands."""
    return written([[Text(text, exact=True)]])


def _matcher(clause: Sequence[Term]) -> Matcher | None:
    """Return the matcher that a clause is: one test of a stream label, or alternatives of one."""
    matchers = [term.condition for term in clause if isinstance(term, LabelTest) and term.of_stream]
    found = [condition for condition in matchers if isinstance(condition, Matcher)]
    if len(found) != len(clause):
        return None
    if len(found) == 1:
        return found[0]
    if {matcher.name for matcher in found} != {found[0].name} or {matcher.op for matcher in found} - {"=", "=~"}:
        return None
    values = [matcher.value if matcher.op == "=~" else literal(matcher.value) for matcher in found]
    return Matcher(found[0].name, "=~", "|".join(values))


def _selector(matchers: Sequence[Matcher]) -> Selector:
    """Return the selector of these matchers, with one that every stream passes if it needs one."""
    if any(not accepts(matcher, "") for matcher in matchers):
        return Selector(tuple(matchers))
    return Selector((*parser.parse_selector(EVERYTHING).matchers, *matchers))


def _in_line(clause: Sequence[Term]) -> bool:
    """Tell whether one line filter can say a clause: one text, or alternatives that are all looked for."""
    texts = [term for term in clause if isinstance(term, Text)]
    return len(texts) == len(clause) and (len(clause) == 1 or all(term.keep for term in texts))


def _line_filter(clause: Sequence[Term]) -> LineFilter:
    texts = [term for term in clause if isinstance(term, Text)]
    keep = texts[0].keep
    if all(map(_as_it_stands, texts)):
        return LineFilter("|=" if keep else "!=", tuple(Needle(_bare(term)) for term in texts))
    return LineFilter("|~" if keep else "!~", tuple(Needle(_regex(term)) for term in texts))


def _as_it_stands(term: Text) -> bool:
    """Tell whether a text can be looked for without a regex: exactly, or because it is the same in any case."""
    bare = _bare(term)
    return term.exact or ("*" not in bare and bare.lower() == bare.upper() == bare.casefold())


def _bare(term: Text) -> str:
    """Return a text without the `*` at its ends, which say nothing: it is looked for anywhere."""
    return term.text if term.exact else term.text.strip("*")


def _regex(term: Text) -> str:
    return literal(term.text) if term.exact else _ANY_CASE + globbed(_bare(term))


def _condition(term: Term) -> Condition:
    if isinstance(term, LabelTest):
        return term.condition
    regex = _regex(term)
    case = _ANY_CASE if regex.startswith(_ANY_CASE) else ""
    return Matcher(_LINE, "=~" if term.keep else "!~", f"{case}.*{regex.removeprefix(case)}.*")
