"""Ranges beside the one that is shown: earlier, later, twice as long. Pure.

A range that ends now stays relative when it grows; one that is moved is fixed in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S
from tailrace.query.literals import write_duration
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS
from tailrace.web.times import iso

if TYPE_CHECKING:
    from tailrace.web.explorer.search.spans import Span
    from tailrace.web.explorer.search.state import State

NOW: Final = "now"


@dataclass(frozen=True, slots=True)
class Moves:
    """Addresses of the neighbouring ranges; empty where there is none."""

    earlier: str
    later: str
    out: str


def moves(state: State, span: Span, now_ns: int) -> Moves:
    """Return where the range can go: by its length to both sides, and out to twice its length."""
    length = span.end_ns - span.start_ns

    def at(start_ns: int, end_ns: int) -> str:
        if start_ns < FIRST_NS or end_ns > LAST_NS:
            return ""
        return state.change(start=iso(start_ns), end=iso(end_ns)).url()

    ended = span.end == NOW or span.end_ns >= now_ns
    later = "" if ended else at(span.start_ns + length, span.end_ns + length)
    return Moves(at(span.start_ns - length, span.end_ns - length), later, _wider(state, span, now_ns, length))


def _wider(state: State, span: Span, now_ns: int, length: int) -> str:
    """Return twice the range: back from now if it ends there, else around its middle, and not beyond now."""
    if span.end == NOW:
        whole = -(-length // NS_PER_S) * NS_PER_S
        return state.change(start=f"{NOW}-{write_duration(2 * whole)}", end="").url()
    end_ns = span.end_ns + length // 2
    end_ns = min(end_ns, max(now_ns, span.end_ns))
    start_ns = end_ns - 2 * length
    if start_ns < FIRST_NS or end_ns > LAST_NS:
        return ""
    return state.change(start=iso(start_ns), end=iso(end_ns)).url()
