"""Counts of a search's lines over its range, each asked for in one scan; nothing here knows of HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tailrace.errors import QueryError
from tailrace.query.counting import Counting, counted
from tailrace.query.labels import label_names
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS

if TYPE_CHECKING:
    import polars as pl

    from tailrace.query.syntax import LogQuery
    from tailrace.web.explorer.search.spans import Span
    from tailrace.web.services import Services


def over_time(
    services: Services, log: LogQuery, span: Span, step: int, by: tuple[str, ...], shift: int = 0
) -> pl.DataFrame:
    """Return the lines of each bucket of the range, or of one that lies earlier, and of each value of `by`."""
    asked = Counting(log, by, span.start_ns - shift, span.end_ns - shift, step, origin_ns=-shift)
    return counted(asked, services.table, services.engine)[0]


def by_labels(services: Services, log: LogQuery, span: Span) -> dict[str, pl.DataFrame]:
    """Return the lines of each value of each stream label."""
    names = label_names(services.table, span.start_ns, span.end_ns, str(log.selector))

    def ask(by: tuple[str, ...]) -> pl.DataFrame:
        return counted(Counting(log, by, span.start_ns, span.end_ns), services.table, services.engine)[0]

    if not names:
        return {}
    try:
        return dict.fromkeys(names, ask(tuple(names)))
    except QueryError:  # more sets of labels than are held: ask for each label on its own
        return {name: ask((name,)) for name in names}


def oldest_ns(services: Services) -> int | None:
    """Return the time of the oldest line of all, from the table's statistics; None when it is empty."""
    times = services.table.snapshot().segments(FIRST_NS, LAST_NS).frame["min_time_ns"].drop_nulls()
    return int(times.min()) if times.len() else None  # type: ignore[arg-type]  # Int64: not null here
