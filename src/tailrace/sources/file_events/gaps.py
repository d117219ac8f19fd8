"""Open gaps in the position of the source, so that the walk of the next start closes those that a stop left open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events.backend import Gap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.sources.file_events.backend import Reason

_REASONS: Final[Mapping[str, Reason]] = {"restart": "restart", "overflow": "overflow"}


def written(gaps: Sequence[Gap]) -> list[object]:
    """Return gaps as JSON."""
    return [[gap.start_ns, gap.end_ns, gap.reason, [os.fsdecode(root) for root in gap.roots]] for gap in gaps]


def read(state: object) -> list[Gap]:
    """Return the gaps of a position; what is no gap there is passed over."""
    found = []
    for entry in state if isinstance(state, list) else ():
        match entry:
            case [int(start_ns), int(end_ns), str(reason), [*roots]] if reason in _REASONS:
                paths = tuple(os.fsencode(root) for root in roots if isinstance(root, str))
                found.append(Gap(paths, start_ns, end_ns, _REASONS[reason]))
    return found
