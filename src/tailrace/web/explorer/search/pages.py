"""Pages of lines, newest first, that go on in both directions without hole or repeat.

A cursor names a place by time, by how many lines of that time stand above, and by the line there. While the table is
at the version in which the cursor was made, the number is exact; when it has grown since, the line is looked for, so
that what came in between shifts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import polars as pl

from tailrace.query.result import Lines, Series
from tailrace.query.run import Request, run
from tailrace.web.explorer.search.address import place_of
from tailrace.web.explorer.search.rows import Row, rows_of
from tailrace.web.explorer.search.state import Cursor

if TYPE_CHECKING:
    from tailrace.web.services import Services

Direction = Literal["backward", "forward"]


@dataclass(frozen=True, slots=True)
class LinePage:
    """Lines newest first, and the places where the older and the newer ones go on; none where there are no more."""

    rows: list[Row]
    answer: Lines
    older: Cursor | None
    newer: Cursor | None
    version: int  # of the table, or an older one: what arrived after it may be missing


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list shows: the lines of a query in a range of time, some at once."""

    services: Services
    query: str
    start_ns: int
    end_ns: int
    size: int

    def ask(self, start_ns: int, end_ns: int, limit: int, direction: Direction = "backward") -> Lines:
        """Return lines of a part of the range."""
        start_ns, end_ns = max(start_ns, self.start_ns), min(end_ns, self.end_ns)
        return ask(self.services, self.query, start_ns, max(start_ns, end_ns), limit, direction)


def ask(
    services: Services, query: str, start_ns: int, end_ns: int, limit: int, direction: Direction = "backward"
) -> Lines:
    """Run a log query."""
    request = Request(query, start_ns, end_ns, None, limit, direction)
    return lines_of(run(request, services.table, services.engine))


def lines_of(answer: Lines | Series) -> Lines:
    """Return the answer of a log query as what it is."""
    assert isinstance(answer, Lines), "a log query gives lines"
    return answer


def page(services: Services, query: str, start_ns: int, end_ns: int, size: int, cursor: Cursor | None) -> LinePage:
    """Return the lines at a cursor, or the newest ones of the range."""
    return listed(Listing(services, query, start_ns, end_ns, size), cursor)


def listed(listing: Listing, cursor: Cursor | None, *, exact: bool = False) -> LinePage:
    """Return the lines at a cursor, or the newest ones.

    Where fewer than a page are newer than the cursor, the newest page is returned, or, if `exact`, just those few.
    """
    version = listing.services.table.snapshot().version
    if cursor is not None and cursor.key and cursor.version != version:
        cursor = _settled(listing, cursor)
    if cursor is not None and cursor.towards == "after":
        newer = _after(listing, cursor, version, exact=exact)
        if newer is not None:
            return newer
        cursor = None
    return _before(listing, cursor, version)


def _before(listing: Listing, cursor: Cursor | None, version: int) -> LinePage:
    at_ns, skip = (cursor.at_ns, cursor.skip) if cursor else (listing.end_ns, 0)
    answer = listing.ask(listing.start_ns, at_ns + 1, skip + listing.size + 1)
    frame = answer.frame.slice(skip)
    rows = rows_of(frame.head(listing.size), at_ns, skip)
    older = below(rows[-1], version) if frame.height > listing.size else None
    newer = above(rows[0], version) if cursor and rows else None
    return LinePage(rows, answer, older, newer, version)


def below(row: Row, version: int) -> Cursor:
    """Return the place under a row."""
    return Cursor("before", row.time_ns, row.skip + 1, version, row.key)


def above(row: Row, version: int) -> Cursor:
    """Return the place over a row."""
    return Cursor("after", row.time_ns, row.skip, version, row.key)


def _after(listing: Listing, cursor: Cursor, version: int, *, exact: bool) -> LinePage | None:
    """Return the page that ends just before the cursor's line; None when fewer lines than a page are newer."""
    size, at_ns, skip = listing.size, cursor.at_ns, cursor.skip
    if skip >= size:
        return _before(listing, Cursor("before", at_ns, skip - size), version)
    taken = size - skip
    answer = listing.ask(at_ns + 1, listing.end_ns, taken + 1, "forward")
    if answer.frame.height <= taken:
        return _rest(listing, cursor, answer, version) if exact else None
    # read them again from above, so that lines of one time stand as on every other page
    times = answer.frame["_time_ns"].head(taken)
    first_ns = int(times[-1])
    ties = listing.ask(first_ns, first_ns + 1, 0).frame.height
    over = ties - int((times == first_ns).sum())
    return _before(listing, Cursor("before", first_ns, over), version)


def _rest(listing: Listing, cursor: Cursor, answer: Lines, version: int) -> LinePage:
    """Return all lines over the cursor: `answer` has those of later times."""
    frames = [answer.frame.reverse()]
    if cursor.skip:
        frames.append(listing.ask(cursor.at_ns, cursor.at_ns + 1, cursor.skip).frame)
    whole = replace(answer, frame=pl.concat(frames, how="diagonal"))
    return LinePage(rows_of(whole.frame), whole, None, None, version)


def _settled(listing: Listing, cursor: Cursor) -> Cursor:
    """Return the cursor where its line stands now; where it stood, if the line is gone."""
    frame = listing.ask(cursor.at_ns, cursor.at_ns + 1, 0).frame
    under = cursor.towards == "before"
    place = place_of(frame, cursor.key, cursor.skip - under)
    return cursor if place is None else replace(cursor, skip=place + under)
