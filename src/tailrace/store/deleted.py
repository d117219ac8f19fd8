"""Which times rows were deleted of, by hand, in some commits; what retention drops is not told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.store import log
from tailrace.store.failures import translated

if TYPE_CHECKING:
    from tailrace.store.place import Place

_BY_HAND: Final = "delete"


def deleted(place: Place, since: int, version: int) -> list[tuple[int, int]]:
    """Return the first and the last time of each deletion after a version, up to another one.

    Commits that were cleaned out of the log are left out.
    """
    found = []
    with translated(place.where, "reading the log"):
        place.reach(since)
        for number in range(since + 1, version + 1):
            try:
                why, _, span = log.read(place.root, number).why.partition(":")
            except FileNotFoundError:
                continue
            if why == _BY_HAND:
                start, _, end = span.partition(":")
                found.append((int(start), int(end) - 1))
    return list(dict.fromkeys(found))
