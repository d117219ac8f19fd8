"""What came in since a list was begun: said beside it, so that nothing jumps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.follow import Follower
from tailrace.web.explorer.search.found import FIRST_NS
from tailrace.web.explorer.search.pages import ask

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
    if snapshot.added_since(version).frame.is_empty():
        return None
    there = ask(services, query, start_ns, end_ns, COUNTED + 1).frame["_time_ns"]  # first: no later line is among them
    follower = Follower(query, services.table, services.engine, limit=COUNTED, after=version)
    found = follower.arrived(FIRST_NS)
    times = found.lines.frame["_time_ns"]
    times = times.filter(times.is_between(start_ns, end_ns, closed="left"))
    if not len(times) and found.exact:
        return None
    newest = _newest_before(there, times)
    late = 0 if newest is None else int((times <= newest).sum())
    return Fresh(len(times), late, found.exact and found.lines.complete)


def _newest_before(there: pl.Series, fresh: pl.Series) -> int | None:
    """Return the time of the newest of the lines that are there which is not among the fresh ones."""
    counts = there.value_counts(name="there").join(fresh.value_counts(name="fresh"), on="_time_ns", how="left")
    old = counts.filter(pl.col("there") > pl.col("fresh").fill_null(0))["_time_ns"]
    return int(old.max()) if len(old) else None  # type: ignore[arg-type]  # Int64: not null here
