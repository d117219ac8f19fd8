"""What came in since a list was begun: said beside it, so that nothing jumps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.query.follow import Follower
from tailrace.web.explorer.search.found import FIRST_NS

if TYPE_CHECKING:
    from tailrace.web.services import Services

COUNTED: Final = 1_000
VERSIONS: Final = 1_000
"""Lines that are counted, and commits that are looked at: of more of them, only that there are more is said."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Lines that fit and came in later; of them, those that belong under a line that was there."""

    lines: int
    late: int
    exact: bool


def arrived(services: Services, query: str, start_ns: int, end_ns: int, version: int) -> Fresh | None:
    """Return what came in after a version of the table; None if nothing that fits did."""
    snapshot = services.table.snapshot()
    if not 0 < version < snapshot.version:
        return None
    if snapshot.version - version > VERSIONS:
        return Fresh(0, 0, exact=False)
    fresh = set(snapshot.added_since(version).frame["path"])
    before = snapshot.segments(start_ns, end_ns).frame
    newest = max((at for path, at in before.select("path", "max_time_ns").iter_rows() if path not in fresh), default=0)
    follower = Follower(query, services.table, services.engine, limit=COUNTED, after=version)
    found = follower.arrived(FIRST_NS)
    times = found.lines.frame["_time_ns"]
    times = times.filter(times.is_between(start_ns, end_ns, closed="left"))
    if not len(times) and found.exact:
        return None
    return Fresh(len(times), int((times <= newest).sum()), found.exact and found.lines.complete)
