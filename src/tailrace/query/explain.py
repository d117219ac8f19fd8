"""Say how a query would be answered: a tree of what is read, by which conditions, and what is left to do on rows.

Plans as `run` does, but reads no rows: only statistics, stream names and formats.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tailrace.batch import column_field, is_field
from tailrace.contracts import CONFINED
from tailrace.query import functions
from tailrace.query.afresh import afresh
from tailrace.query.evaluate import grouped
from tailrace.query.grid import Cells
from tailrace.query.leaf import from_statistics, in_scan
from tailrace.query.lines import EVERYTHING
from tailrace.query.needs import Needs
from tailrace.query.parser import parse
from tailrace.query.plan import plan, rows_of
from tailrace.query.reads import work
from tailrace.query.run import grid_of
from tailrace.query.syntax import Binary, LogQuery, RangeAggregation, VectorAggregation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tailrace.contracts import Engine, Snapshot, Table
    from tailrace.query.grid import Grid
    from tailrace.query.plan import Branch, Plan
    from tailrace.query.run import Request
    from tailrace.query.syntax import Metric

INDENT = "   "


def explain(request: Request, table: Table, engine: Engine) -> str:
    """Return the plan of a request as an indented text."""
    return afresh(lambda: _explained(request, table.snapshot(), engine))


def _explained(request: Request, snapshot: Snapshot, engine: Engine) -> str:
    query = parse(request.query)
    head = [f"query: {query}"]
    if isinstance(query, LogQuery):
        found = plan(query, EVERYTHING, (request.start_ns, request.end_ns), snapshot, engine)
        asked = "all lines" if not request.limit else f"the first {request.limit} lines"
        body = [f"{asked}, {request.direction}", *_plan(found, None, EVERYTHING, engine, sized=False)]
    else:
        grid = grid_of(request)
        head.append(f"evaluated at {grid.points} point{'s' * (grid.points > 1)}, last {_time(grid.last_ns)}")
        body = list(_metric(query, Needs(every=True), grid, snapshot, engine))
    return "\n".join([*head, *body])


def _metric(metric: Metric, needs: Needs, grid: Grid, snapshot: Snapshot, engine: Engine) -> Iterator[str]:
    every = Needs(every=True)
    if isinstance(metric, Binary):
        yield f"operator {metric.op}, on frames"
        for side in (metric.left, metric.right):
            yield from _indented(_metric(side, every, grid, snapshot, engine))
    elif isinstance(metric, VectorAggregation):
        narrow = functions.VECTOR[metric.function].narrows and isinstance(metric.operand, RangeAggregation)
        yield f"{metric.function}{f' {metric.grouping}' if metric.grouping else ''}, on frames"
        inner = grouped(metric.grouping) if narrow else every
        yield from _indented(_metric(metric.operand, inner, grid, snapshot, engine))
    elif isinstance(metric, RangeAggregation):
        cells = Cells(grid, metric.range.range_ns, metric.range.offset_ns)
        lines = functions.LINES.get(metric.function)
        sized = metric.range.unwrap is None and lines is not None and lines.measure == "bytes"
        found = plan(metric.range.log, needs.plus(line=sized), (cells.start_ns, cells.end_ns), snapshot, engine)
        keys = "all labels" if needs.every else ", ".join(sorted(needs.names)) or "nothing"
        keys += f" but {', '.join(sorted(needs.but))}" if needs.but else ""
        yield f"{metric.function}, totals grouped by {keys}"
        yield from _indented(iter(_plan(found, cells, needs, engine, sized=sized)))
    else:
        yield f"{metric}, from no storage"


def _plan(found: Plan, cells: Cells | None, needs: Needs, engine: Engine, *, sized: bool) -> list[str]:
    out = [f"time: {_time(found.start_ns)} up to {_time(found.end_ns)}"]
    for why, count in found.skipped.items():
        out.append(f"skipped: {_count(count, 'segment')}, {why}")
    if not found.branches:
        out.append("read: nothing")
    for branch in found.branches:
        out.extend(_branch(branch, cells, needs, engine, sized=sized))
    return out


def _branch(branch: Branch, cells: Cells | None, needs: Needs, engine: Engine, *, sized: bool) -> Iterator[str]:
    segments, columns = branch.segments, branch.loader().columns()
    if cells is not None:
        known, segments, _ = from_statistics(branch, cells, sized=sized)
        if known.height:
            answered = branch.segments.frame.height - segments.frame.height
            yield f"from statistics: {int(known['lines'].sum())} lines of {_count(answered, 'whole segment')}, unread"
    if segments.frame.is_empty():
        return
    frame = segments.frame
    rows, whole = rows_of(segments), int(frame["rows"].sum())
    size = int(frame["bytes"].sum()) * rows // max(1, whole)
    yield f"read: {_count(frame.height, 'segment')}, {rows} rows, {size} bytes"
    if rows < whole:
        yield f"{INDENT}skipped within them: {whole - rows} rows, by their skip indexes"
    grouped = cells is None or in_scan(branch, needs, sized=sized)  # of lines, the first are looked for
    if why := engine.suited(work(branch, segments, grouped=grouped)).why:
        yield f"{INDENT}engine: {why}"
    yield f"{INDENT}streams: {branch.scan.streams.height} match"
    yield from (f"{INDENT}pushed into the scan: {words}" for words in branch.scan.words)
    yield f"{INDENT}columns: {', '.join(sorted({*_told(columns, branch, engine), *branch.scan.columns})) or 'none'}"
    yield from (f"{INDENT}on rows: {stage}" for stage, _ in branch.stages)
    if cells is not None:
        yield f"{INDENT}grouped {'in the scan' if in_scan(branch, needs, sized=sized) else 'on rows'}"


def _told(columns: Iterable[str], branch: Branch, engine: Engine) -> Iterable[str]:
    """Return the columns that may be named: of the table's, a tenant is told those only that the query names."""
    if engine.name != CONFINED:
        return columns
    names = branch.loader().needs.names
    return [column for column in columns if not is_field(column) or column_field(column) in names]


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (INDENT + line for line in lines)


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _time(time_ns: int) -> str:
    """Return a time for people; one that no calendar has, as a number."""
    try:
        whole = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"
    return f"{whole}.{time_ns % 10**9:09}Z"
