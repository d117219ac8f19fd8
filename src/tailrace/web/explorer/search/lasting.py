"""The address of a search as it is saved and shared: what decides the result, and nothing of how far somebody read.

A search that was opened from a saved one carries `saved` in its address: the number, and a digest of what was saved. So
every page can tell by itself whether it still shows that, without asking the database. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import QueryParams

from tailrace.errors import QueryError
from tailrace.web.explorer.search.state import State, read_state
from tailrace.web.times import iso

if TYPE_CHECKING:
    from tailrace.web.explorer.search.spans import Span

KEY: Final = "saved"
_PASSING: Final = (KEY, "refresh", "part", "after", "short")
_MARK: Final = re.compile(r"(\d{1,15})-([0-9a-f]{8})", re.ASCII)
_FIELDS_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Opened:
    """The saved search that a page was opened from, and whether the page shows something else by now."""

    id: int
    changed: bool


def lasting(state: State) -> State:
    """Return what of a state is worth keeping: no place in the list, nothing that moves by itself."""
    others = tuple(pair for pair in state.others if pair[0] not in _PASSING)
    return replace(state, cursor=None, live=False, selected="", others=others)


def saved_address(state: State) -> str:
    """Return the parameters under which a state is saved.

    >>> saved_address(State(q='{a="b"}', start="now-1h", live=True))
    'q=%7Ba%3D%22b%22%7D&from=now-1h'
    """
    return urlencode(lasting(state).pairs())


def state_of(address: str) -> State:
    """Return the state of a saved address; `QueryError` for one that is none."""
    try:
        pairs = parse_qsl(address, keep_blank_values=True, max_num_fields=_FIELDS_MOST, errors="strict")
    except ValueError:
        raise QueryError("the address of the search cannot be read") from None
    return read_state(QueryParams(pairs))


def opened_url(number: int, address: str) -> str:
    """Return where a saved search is opened: its state, and a note of where it comes from."""
    state = lasting(state_of(address))
    return replace(state, others=(*state.others, (KEY, f"{number}-{_digest(state)}"))).url()


def opened(state: State) -> Opened | None:
    """Return the saved search that a page comes from; None for a page that comes from none."""
    match = _MARK.fullmatch(dict(state.others).get(KEY, ""))
    return Opened(int(match[1]), match[2] != _digest(state)) if match else None


def frozen(state: State, span: Span) -> State:
    """Return a state whose range stays where it is now; place and open line stay, too."""
    others = tuple(pair for pair in state.others if pair[0] not in _PASSING)
    return replace(state, start=iso(span.start_ns), end=iso(span.end_ns), live=False, others=others)


def _digest(state: State) -> str:
    return blake2b(saved_address(state).encode(errors="replace"), digest_size=4).hexdigest()
