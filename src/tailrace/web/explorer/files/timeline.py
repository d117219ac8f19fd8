"""Logs and file events of a host, or of a path and what is below it, on one axis of time.

Comes in: a span. Goes out: two drawings on the same grid, and the newest lines and acts, merged. Of a path the lines
are those of log files at or below it. What is listed is without holes: where one kind is cut, so is the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.ecs import STREAM_SOURCE
from tailrace.query.lexer import quote
from tailrace.query.literals import write_duration
from tailrace.query.result import Lines, Series
from tailrace.query.run import Request, run
from tailrace.web.explorer.files import acts
from tailrace.web.explorer.search.histogram import grid
from tailrace.web.explorer.shapes.stacks import Stacks, stacks

if TYPE_CHECKING:
    import polars as pl

    from tailrace.twin.reading import Twin

LINES_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """A line or an act, and when it was; of an act that is its end."""

    at_ns: int
    line: str = ""
    level: str = ""
    source: str = ""
    act: acts.Act | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Both drawings, what is listed, how many there are in all, and the query of the lines."""

    lines: Stacks
    events: Stacks
    moments: list[Moment]
    line_count: int
    act_count: int
    query: str


def timeline(twin: Twin, host: str, path: str, happened: pl.DataFrame, start_ns: int, end_ns: int) -> Timeline:
    """Return what happened in a span."""
    when, query = grid(start_ns, end_ns), lines_query(host, path)
    # a point at T counts (T - step, T]; moved back by 1 ns it counts the bucket that ends there
    counting = f"sum by (detected_level) (count_over_time({query} [{write_duration(when.step_ns)}] offset 1ns))"
    counts = run(Request(counting, when.start_ns, when.end_ns, when.step_ns), twin.logs, twin.engine)
    newest = run(Request(query, start_ns, end_ns, limit=LINES_MOST), twin.logs, twin.engine)
    assert isinstance(counts, Series), "a metric query gives numbers"
    assert isinstance(newest, Lines), "a log query gives lines"
    bars = stacks(counts, when.start_ns, when.end_ns, when.step_ns)
    found = acts.changes(happened, start_ns, end_ns)
    moments = merged(_moments(newest), found.acts, full=found.total > len(found.acts))
    return Timeline(bars, found.bars, moments, round(sum(bars.sums)), found.total, query)


def lines_query(host: str, path: str) -> str:
    """Return the LogQL of the lines of a host, or of its log files at and below a path."""
    below = "" if path == "/" else f", filename=~{quote(acts.regex(path))}"
    return f'{{host={quote(host)}, source!="{STREAM_SOURCE}"{below}}}'


def merged(lines: list[Moment], found: list[acts.Act], *, full: bool) -> list[Moment]:
    """Return lines and acts newest first, as far back as both are known; `full` tells that there are older acts."""
    known = [Moment(act.end_ns, act=act) for act in found]
    cuts = [known[-1].at_ns] if full else []
    if len(lines) == LINES_MOST:
        cuts.append(min(line.at_ns for line in lines))
    since_ns = max(cuts, default=0)
    both = [one for one in (*lines, *known) if one.at_ns >= since_ns]
    return sorted(both, key=lambda one: one.at_ns, reverse=True)


def _moments(answer: Lines) -> list[Moment]:
    columns = ["_time_ns", "_line", "_level", "stream.service_name"]
    there = [name for name in columns if name in answer.frame.columns]
    return [
        Moment(row["_time_ns"], row["_line"] or "", row["_level"] or "", row.get("stream.service_name") or "")
        for row in answer.frame.select(there).iter_rows(named=True)
    ]
