"""What stands around a line: in its own file, or at its time in everything that its host logged.

No filter of the search applies. Lines of the file stand as they stand there, which is by offset and not by time;
lines of the host by time. Each answer is made anew from the line, so more at either end never repeats one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stream_labels
from tailrace.query.lexer import quote
from tailrace.web.explorer.search.address import place_of
from tailrace.web.explorer.search.found import FIRST_NS, LAST_NS
from tailrace.web.explorer.search.pages import ask
from tailrace.web.explorer.search.rows import Row, rows_of
from tailrace.web.explorer.texts.search import EVERYTHING

if TYPE_CHECKING:
    from tailrace.web.explorer.search.stored import Stored
    from tailrace.web.services import Services

WAYS: Final = ("file", "host")
USUAL: Final = 10
MORE: Final = 40
MOST: Final = 1_000
"""Lines before or after, at first, more at each step, and at most."""


@dataclass(frozen=True, slots=True)
class Context:
    """Lines oldest first; `at` is the line itself, `older` and `newer` tell whether there are more."""

    rows: list[Row]
    at: int
    older: bool
    newer: bool
    where: str  # the query that finds them


def around(services: Services, line: Stored, way: str, before: int, after: int) -> Context:
    """Return so many lines before and after a line."""
    query = line.selector(services) if way == "file" else _host_query(line)
    time_ns = line.time_ns
    over = max(before, after) + 1
    frames = [
        ask(services, query, FIRST_NS, time_ns, over).frame.reverse(),
        ask(services, query, time_ns, time_ns + 1, 2 * MOST, "forward").frame,
        ask(services, query, time_ns + 1, LAST_NS, over, "forward").frame,
    ]
    frame = pl.concat(frames, how="diagonal")
    if way == "file":
        frame = _of_file(frame)
    at = place_of(frame, line.key)
    if at is None:  # among more lines of one time than are looked at
        at = int((frame["_time_ns"] < time_ns).sum())
    first, end = max(0, at - before), min(frame.height, at + after + 1)
    rows = rows_of(frame[first:end])
    return Context(rows, at - first, first > 0, end < frame.height, query)


def _of_file(frame: pl.DataFrame) -> pl.DataFrame:
    """Return lines as they stand in their file: in the order in which they were read."""
    return frame if frame["_offset"].null_count() else frame.sort("_observed_ns", "_offset", maintain_order=True)


def _host_query(line: Stored) -> str:
    host = stream_labels(line.stream).get("host")
    return EVERYTHING if host is None else f"{{host={quote(host)}}}"
