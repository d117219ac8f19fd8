"""What a page shows: lines, counts by level, labels, each by one query; nothing here knows of HTML.

The parts are asked for side by side and fail apart: a part that cannot be had is an exception in its own place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tailrace.errors import QueryError
from tailrace.query import labels
from tailrace.query.result import META, PARSED, STREAM, Lines, Series
from tailrace.query.run import Request, run
from tailrace.web.explorer.search import histogram
from tailrace.web.explorer.search.state import Cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from tailrace.query.syntax import LogQuery
    from tailrace.web.services import Services

Direction = Literal["backward", "forward"]
NEAREST_TIMEOUT_S: Final = 3.0
FACET_VALUES: Final = 10
_FACETS_FIRST: Final = ("service_name", "host")
FIRST_NS: Final = -(2**61)
LAST_NS: Final = 2**62
"""The years 1896 and 2116: what the page looks at is kept between them, so that sums of times fit in 64 bits."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line with its labels, by where they come from."""

    time_ns: int
    level: str
    line: str
    offset: int | None
    stream: Mapping[str, str]
    fields: Mapping[str, str]
    parsed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LinePage:
    """Lines newest first, and the places where the older and the newer ones go on."""

    rows: list[Row]
    answer: Lines
    older: Cursor | None
    newer: Cursor | None


@dataclass(frozen=True, slots=True)
class Facet:
    """A stream label with its most frequent values."""

    name: str
    values: list[tuple[str, int]]
    more: int  # values that are not listed


def ask(
    services: Services, query: str, start_ns: int, end_ns: int, limit: int, direction: Direction = "backward"
) -> Lines:
    """Run a log query."""
    request = Request(query, start_ns, end_ns, None, limit, direction)
    return _lines(run(request, services.table, services.engine))


def page(services: Services, query: str, start_ns: int, end_ns: int, size: int, cursor: Cursor | None) -> LinePage:
    """Return the lines at a cursor, or the newest ones of the range."""
    if cursor is not None and cursor.towards == "after":
        newer = _page_after(services, query, start_ns, end_ns, size, cursor)
        if newer is not None:
            return newer
        cursor = None  # fewer than a page are newer: the head of the list shows them
    at_ns, skip = (cursor.at_ns, cursor.skip) if cursor else (end_ns, 0)
    answer = ask(services, query, start_ns, min(end_ns, at_ns + 1), skip + size + 1)
    frame = answer.frame.slice(skip)
    older = _place("before", frame.head(size), at_ns, skip) if frame.height > size else None
    rows = rows_of(frame.head(size))
    newer_at = Cursor("after", rows[0].time_ns, skip if rows[0].time_ns == at_ns else 0) if cursor and rows else None
    return LinePage(rows, answer, older, newer_at)


def _page_after(
    services: Services, query: str, start_ns: int, end_ns: int, size: int, cursor: Cursor
) -> LinePage | None:
    """Return the page that ends just before the cursor's line; None when fewer lines than a page are newer."""
    if cursor.skip >= size:
        return page(services, query, start_ns, end_ns, size, Cursor("before", cursor.at_ns, cursor.skip - size))
    taken = size - cursor.skip
    answer = ask(services, query, max(start_ns, cursor.at_ns + 1), end_ns, taken + 1, "forward")
    if answer.frame.height <= taken:
        return None
    # read them again from above, so that lines of one time stand as on every other page
    times = answer.frame["_time_ns"].head(taken)
    first_ns = int(times[-1])
    ties = ask(services, query, first_ns, first_ns + 1, 0).frame.height
    above = ties - int((times == first_ns).sum())
    return page(services, query, start_ns, end_ns, size, Cursor("before", first_ns, above))


def _place(towards: str, frame: pl.DataFrame, at_ns: int, skip: int) -> Cursor:
    """Return the place below the last row: its time, and how many rows of that time stand above."""
    last = int(frame["_time_ns"][-1])
    ties = int((frame["_time_ns"] == last).sum())
    return Cursor(towards, last, ties + (skip if last == at_ns else 0))


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """Return the rows of an answer as values; for one page of them."""
    names = frame.columns
    groups = {
        prefix: [(at, name.removeprefix(prefix)) for at, name in enumerate(names) if name.startswith(prefix)]
        for prefix in (STREAM, META, PARSED)
    }
    time, line, level, offset = (names.index(name) for name in ("_time_ns", "_line", "_level", "_offset"))

    def held(record: tuple[str | None, ...], prefix: str) -> dict[str, str]:
        return {name: value for at, name in groups[prefix] if (value := record[at]) is not None}

    return [
        Row(
            record[time],
            record[level] or "",
            record[line] or "",
            record[offset],
            held(record, STREAM),
            held(record, META),
            held(record, PARSED),
        )
        for record in frame.iter_rows()
    ]


def bars(services: Services, log: LogQuery, start_ns: int, end_ns: int) -> list[histogram.Bar]:
    """Return the counts by level on the grid of the range."""
    grid = histogram.grid(start_ns, end_ns)
    asked = Request(histogram.query(log, grid.step_ns), grid.start_ns + grid.step_ns, grid.end_ns, grid.step_ns)
    return histogram.bars(_series(run(asked, services.table, services.engine, services.kept)), grid)


def facets(services: Services, log: LogQuery, start_ns: int, end_ns: int) -> list[Facet]:
    """Return the stream labels of the lines that fit, with counts; labels with several values first."""
    names = labels.label_names(services.table, start_ns, end_ns, str(log.selector))
    if not names:
        return []
    try:
        counted = _count(services, histogram.query(log, end_ns - start_ns, ", ".join(names)), end_ns)
        found = [_facet(name, counted) for name in names]
    except QueryError:  # more streams than an answer may have series: ask for each label on its own
        found = [_top_facet(services, log, name, start_ns, end_ns) for name in names]
    return sorted((facet for facet in found if facet.values), key=_facet_order)


def _facet_order(facet: Facet) -> tuple[bool, int, str]:
    first = _FACETS_FIRST.index(facet.name) if facet.name in _FACETS_FIRST else len(_FACETS_FIRST)
    return len(facet.values) == 1, first, facet.name


def _count(services: Services, query: str, end_ns: int) -> list[tuple[Mapping[str, str], int]]:
    answer = _series(run(Request(query, end_ns, end_ns), services.table, services.engine, services.kept))
    counts = answer.frame.select("series", "value").iter_rows()
    return [(answer.labels[series], int(value)) for series, value in counts]


def _facet(name: str, counted: list[tuple[Mapping[str, str], int]]) -> Facet:
    counts: Counter[str] = Counter()
    for held, count in counted:
        if name in held:
            counts[held[name]] += count
    return Facet(name, counts.most_common(FACET_VALUES), max(0, len(counts) - FACET_VALUES))


def _top_facet(services: Services, log: LogQuery, name: str, start_ns: int, end_ns: int) -> Facet:
    query = f"topk({FACET_VALUES}, {histogram.query(log, end_ns - start_ns, name)})"
    facet = _facet(name, _count(services, query, end_ns))
    values = labels.label_values(services.table, name, start_ns, end_ns, str(log.selector))
    return Facet(name, facet.values, max(0, len(values) - len(facet.values)))


def nearest(services: Services, query: str, start_ns: int, end_ns: int) -> tuple[str, int] | None:
    """Return where the nearest line outside of the range is, `earlier` or `later`, and its time."""
    found = []
    earlier = _first(services, query, FIRST_NS, start_ns, "backward")
    if earlier is not None:
        found.append((start_ns - earlier, "earlier", earlier))
    later = _first(services, query, end_ns, LAST_NS, "forward")
    if later is not None:
        found.append((later - end_ns, "later", later))
    return min(found)[1:] if found else None


def _first(services: Services, query: str, start_ns: int, end_ns: int, direction: Direction) -> int | None:
    request = Request(query, start_ns, end_ns, None, 1, direction, NEAREST_TIMEOUT_S)
    times = _lines(run(request, services.table, services.engine)).frame["_time_ns"]
    return int(times[0]) if times.len() else None


def newest_ns(services: Services) -> int | None:
    """Return the time of the newest line of all, from the table's statistics; None when it is empty."""
    times = services.table.snapshot().segments(FIRST_NS, LAST_NS).frame["max_time_ns"].drop_nulls()
    return int(times.max()) if times.len() else None  # type: ignore[arg-type]  # Int64: not null here


def _lines(answer: Lines | Series) -> Lines:
    assert isinstance(answer, Lines), "a log query gives lines"
    return answer


def _series(answer: Lines | Series) -> Series:
    assert isinstance(answer, Series), "a metric query gives numbers"
    return answer
