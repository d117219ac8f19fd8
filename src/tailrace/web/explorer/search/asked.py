"""What is asked where the address says it otherwise: plain words are read as LogQL, and a query is laid out over lines.

Comes in: the state of an address. Goes out: the state that the page goes to instead, or None. The words stay in the
state as `typed`, so that the page can say what it read, and offer them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.contracts import CONFINED
from tailrace.query import labels
from tailrace.query.load import Fields
from tailrace.web.explorer.search.box import refined, sugar
from tailrace.web.explorer.search.box.pretty import pretty
from tailrace.web.explorer.search.box.sugar_terms import Known
from tailrace.web.explorer.search.spans import choose
from tailrace.web.explorer.search.state import State

if TYPE_CHECKING:
    from tailrace.web.services import Services

LAID_OUT: Final = "1"
"""The value of `fmt` that asks for the query laid out over lines."""


def is_due(state: State) -> bool:
    """Tell whether a state is asked for otherwise than it says; cheap."""
    return has_words(state.q) or (state.fmt == LAID_OUT and bool(state.q))


def has_words(text: str) -> bool:
    """Tell whether a text is plain words, or a query with plain words behind it."""
    return sugar.is_plain(text) or refined.divided(text) is not None


def instead(services: Services, state: State) -> State:
    """Return the state to go to; `QueryError` if its query or its range cannot be read. Runs in a thread."""
    if not has_words(state.q):
        return state.change(q=pretty(state.q), cursor=state.cursor)
    span = choose(services, state, services.clock.now_ns())
    names = known(services, span.start_ns, span.end_ns)
    query = logql(state.q, names)
    laid_out = pretty(query) if state.fmt == LAID_OUT else query
    return state.change(q=laid_out, typed=state.q)


def logql(text: str, names: Known) -> str:
    """Return the query that plain words stand for, alone or behind one."""
    return refined.query(text, names) or sugar.logql(text, names)


def in_logql(services: Services, text: str) -> str:
    """Return what a form was given as a query: plain words as the query that they stand for, all else as it is."""
    if not has_words(text):
        return text
    span = choose(services, State(), services.clock.now_ns())
    return logql(text, known(services, span.start_ns, span.end_ns))


def known(services: Services, start_ns: int, end_ns: int) -> Known:
    """Return which labels the streams of a range have, and which fields the table; no row is read."""
    names = frozenset(labels.label_names(services.table, start_ns, end_ns))
    if services.engine.name == CONFINED:  # a tenant is not told what fields the rows of others have
        return Known(names, every=True)
    return Known(names, frozenset(Fields.of(services.table.snapshot()).columns))
