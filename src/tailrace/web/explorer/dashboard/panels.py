"""A panel, answered and drawn: one query over a range of time, as numbers for a template. Knows no HTML.

A query of lines is counted: per step for bars and curves, over the whole range for a number and a table. A panel that
fails is one with its error in it; the others do not notice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.query.literals import write_duration
from tailrace.query.result import Lines, Series, Stats
from tailrace.query.run import Request, run
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.dashboard.model import filled, parsed
from tailrace.web.explorer.search import histogram
from tailrace.web.explorer.search.state import State
from tailrace.web.explorer.shapes.curves import Chart, chart
from tailrace.web.explorer.shapes.spark import Spark, spark
from tailrace.web.explorer.shapes.stacks import Stacks, label_text, stacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.web.explorer.dashboard.model import Panel
    from tailrace.web.explorer.search.spans import Span
    from tailrace.web.services import Services

TIMEOUT_S: Final = 20.0
"""How long one panel may take; the page waits for it no longer."""

LINES_MOST: Final = 20
ROWS_MOST: Final = 50


@dataclass(slots=True)
class Drawn:
    """What a panel shows: one of the drawings, and what is to be said of it."""

    panel: Panel
    url: str = ""  # the search that shows the same
    error: str = ""
    start_ns: int = 0
    end_ns: int = 0
    chart: Chart | None = None
    bars: Stacks | None = None
    number: float | None = None
    spark: Spark | None = None
    table: list[tuple[str, float]] | None = None
    left_out: int = 0
    lines: list[tuple[int, str, str]] | None = None  # time, level, line
    stats: Stats | None = None
    complete: bool = True
    warnings: tuple[str, ...] = ()


def drawn(panel: Panel, services: Services, span: Span, unwanted: Callable[[], bool]) -> Drawn:
    """Ask what a panel asks, and draw it; raises what queries raise."""
    grid = histogram.grid(span.start_ns, span.end_ns)
    query = filled(panel.query, grid.step_ns, span.end_ns - span.start_ns)
    found = Drawn(panel, State(q=query, start=span.start, end=span.end).url(), start_ns=grid.start_ns)
    found.end_ns = grid.end_ns
    tree = parsed(query)
    asked = _Asked(services, span, grid, unwanted)
    whole_ns = span.end_ns - span.start_ns
    if panel.kind == "lines":
        _lines(found, asked.lines(query))
    elif panel.kind == "table":
        _table(found, asked.at_end(_counted(tree, panel.by, whole_ns, query)))
    elif panel.kind == "number":
        _number(found, asked.over_time(_counted(tree, "", grid.step_ns, query)), grid)
        if isinstance(tree, LogQuery):  # exactly the range: the steps of the line begin before it
            _total(found, asked.at_end(_counted(tree, "", whole_ns, query)))
    else:
        _over_time(found, asked.over_time(_counted(tree, panel.by, grid.step_ns, query)), grid)
    return found


def _counted(tree: object, by: str, window_ns: int, query: str) -> str:
    """Return the metric query of a panel: its own, or one that counts its lines in windows."""
    if not isinstance(tree, LogQuery):
        return query
    # a line that a stage stumbles over counts too
    lenient = any(not isinstance(stage, LineFilter) for stage in tree.stages)
    log = f"{tree} | drop __error__, __error_details__" if lenient else str(tree)
    # a point at T counts (T - window, T]; moved back by 1 ns it counts [T - window, T), the bucket that ends there
    counts = f"count_over_time({log} [{write_duration(window_ns)}] offset 1ns)"
    return f"sum by ({by}) ({counts})" if by else f"sum({counts})"


@dataclass(frozen=True, slots=True)
class _Asked:
    services: Services
    span: Span
    grid: histogram.Grid
    unwanted: Callable[[], bool]

    def lines(self, query: str) -> Lines:
        found = self._run(Request(query, self.span.start_ns, self.span.end_ns, None, LINES_MOST, timeout_s=TIMEOUT_S))
        assert isinstance(found, Lines), "a log query gives lines"
        return found

    def at_end(self, query: str) -> Series:
        return self._series(Request(query, self.span.end_ns, self.span.end_ns, timeout_s=TIMEOUT_S, cut=True))

    def over_time(self, query: str) -> Series:
        first_ns, step_ns = self.grid.start_ns + self.grid.step_ns, self.grid.step_ns
        return self._series(Request(query, first_ns, self.grid.end_ns, step_ns, timeout_s=TIMEOUT_S, cut=True))

    def _series(self, request: Request) -> Series:
        found = self._run(request)
        assert isinstance(found, Series), "a metric query gives numbers"
        return found

    def _run(self, request: Request) -> Lines | Series:
        request = replace(request, cancelled=self.unwanted)
        return run(request, self.services.table, self.services.engine, self.services.kept, self.services.recordings)


def _note(found: Drawn, answer: Lines | Series) -> None:
    found.stats, found.complete, found.warnings = answer.stats, answer.complete, answer.warnings


def _lines(found: Drawn, answer: Lines) -> None:
    _note(found, answer)
    shown = answer.frame.select("_time_ns", pl.col("_level").fill_null(""), "_line")
    found.lines = list(shown.iter_rows())


def _table(found: Drawn, answer: Series) -> None:
    _note(found, answer)
    values = answer.frame.select("series", "value").iter_rows()
    rows = [(label_text(answer.labels[series]), value) for series, value in values]
    rows.sort(key=lambda row: -row[1])
    found.table, found.left_out = rows[:ROWS_MOST], max(0, len(rows) - ROWS_MOST)


def _over_time(found: Drawn, answer: Series, grid: histogram.Grid) -> None:
    _note(found, answer)
    if found.panel.kind == "bars":
        found.bars = stacks(answer, grid.start_ns, grid.end_ns, grid.step_ns)
    else:
        found.chart = chart(answer, grid.start_ns, grid.end_ns, grid.step_ns)


def _number(found: Drawn, answer: Series, grid: histogram.Grid) -> None:
    """Note the newest value of the first series, and how it came to be."""
    _note(found, answer)
    points = list(answer.frame.filter(pl.col("series") == 0).select("_time_ns", "value").iter_rows())
    found.number = points[-1][1] if points else None
    found.spark = spark(points, grid.start_ns, grid.end_ns, grid.step_ns)
    found.left_out = max(0, len(answer.labels) - 1)


def _total(found: Drawn, answer: Series) -> None:
    found.number = float(answer.frame["value"].sum())
    found.complete &= answer.complete
    found.warnings = tuple(dict.fromkeys((*found.warnings, *answer.warnings)))
