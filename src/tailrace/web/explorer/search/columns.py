"""Columns beside the lines: which there are, and the addresses that add, remove and move one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.web.explorer.search.state import COLUMNS_MOST

if TYPE_CHECKING:
    from tailrace.web.explorer.search.rows import Row
    from tailrace.web.explorer.search.state import State

USUAL: Final = ("service_name",)
"""The columns of an address that names none."""
VALUE_CHARS: Final = 1_000
"""A longer value is not offered to filter by: no address would hold it."""


def shown(state: State | None) -> tuple[str, ...]:
    """Return the columns that stand beside the lines."""
    return (state.columns if state else ()) or USUAL


def values(row: Row, state: State | None) -> list[tuple[str, str]]:
    """Return the columns of a line with their values, empty where it lacks one."""
    return [(name, row.value(name) or "") for name in shown(state)]


def toggled(state: State, name: str) -> State:
    """Return the state with one column more, or without it if it is there; the page stays where it is."""
    held = state.columns
    names = tuple(one for one in held if one != name) if name in held else (*held, name)[-COLUMNS_MOST:]
    return state.change(columns=names, cursor=state.cursor)


def moved(state: State, name: str, by: int) -> State:
    """Return the state with a column moved by some places; what would leave the row stays at its end."""
    names = list(state.columns)
    at = names.index(name)
    names.insert(max(0, at + by), names.pop(at))
    return state.change(columns=tuple(names), cursor=state.cursor)
