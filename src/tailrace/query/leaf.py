"""Range aggregations: totals of lines per window, grouped where the data lies.

Three ways, cheapest first, mixed freely within one query:

1. a stream of a segment that counts as a whole for the same points is answered from `Segments.streams`, unread;
2. lines that the scan can filter and group by columns are grouped in the scan;
3. the rest is read in pieces, runs through the stages that are left, and each piece is grouped at once.

Totals add up over pieces, segments and branches, so they are summed last; then windows are laid over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace.errors import QueryError
from tailrace.limits import LABEL_SETS, RANKED_SETS
from tailrace.query import functions
from tailrace.query.plan import plan_segments
from tailrace.query.reads import Span
from tailrace.query.remembered import remembered
from tailrace.query.rows import DETAILS, ERROR
from tailrace.query.samples import EMPTY, LABEL, Samples
from tailrace.query.ticks import TICK, ticked
from tailrace.query.windows import largest, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tailrace.contracts import Frame, Segments, Snapshot
    from tailrace.query.grid import Cells
    from tailrace.query.needs import Needs
    from tailrace.query.plan import Branch
    from tailrace.query.reads import Reading
    from tailrace.query.rows import Rows
    from tailrace.query.syntax import LogQuery, RangeAggregation

CELL: Final = ("lo", "hi")
TOTALS: Final = ("lines", "bytes")
MERGE_ROWS: Final = 2 * LABEL_SETS
"""Rows of totals that are gathered before equal ones are summed."""


def samples(aggregation: RangeAggregation, needs: Needs, cells: Cells, snapshot: Snapshot, reading: Reading) -> Samples:
    """Evaluate a range aggregation; its series are told apart by the labels of `needs` only."""
    found = totals(aggregation, needs, cells, snapshot, reading)
    return Samples(EMPTY) if found is None else of_totals(aggregation, needs, cells, found)


def totals(
    aggregation: RangeAggregation,
    needs: Needs,
    cells: Cells,
    snapshot: Snapshot,
    reading: Reading,
    segments: Segments | None = None,
) -> pl.DataFrame | None:
    """Return label columns, the keys of cells, `lines` and `bytes`, one row per series and cell; None if there is none.

    Lines are those of all segments of the snapshot, or of some that need not be in it any more.
    """
    most, room = RANKED_SETS if needs.largest else LABEL_SETS, MERGE_ROWS
    gathered: list[pl.DataFrame] = []
    for piece in pieces(aggregation, needs, cells, snapshot, reading, segments):
        gathered.append(piece)
        if sum(one.height for one in gathered) > room:
            gathered = [merged(gathered)]
            bounded(gathered[0], most)
            room = max(MERGE_ROWS, 2 * gathered[0].height)  # else many sets would be summed again with each piece
    if not gathered:
        return None
    whole = merged(gathered)
    bounded(whole, most)
    return whole


def pieces(
    aggregation: RangeAggregation,
    needs: Needs,
    cells: Cells,
    snapshot: Snapshot,
    reading: Reading,
    segments: Segments | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield such totals piece by piece, as they are read: a series and cell may be in several."""
    sized = functions.LINES[aggregation.function].measure == "bytes"
    log, span = aggregation.range.log, (cells.start_ns, cells.end_ns)
    if segments is None:
        segments = snapshot.segments(*span)
    found = plan_segments(log, needs.plus(line=sized), span, snapshot, reading.engine, segments)
    reading.planned(found)
    for branch in found.branches:
        yield from _branch(branch, needs, cells, reading, log, sized=sized)


def of_totals(aggregation: RangeAggregation, needs: Needs, cells: Cells, found: pl.DataFrame) -> Samples:
    """Lay windows over totals."""
    function, among = functions.LINES[aggregation.function], 0
    if needs.largest:
        found, among = largest(found, cells, function.measure, needs.largest)
    windows = spread(found, cells)
    value = function.value(pl.col(function.measure), aggregation.range.range_ns / 1e9)
    labels = [column for column in windows.columns if column.startswith(LABEL)]
    return Samples(windows.select(*labels, "step", value=value.cast(pl.Float64)), among=among)


def _branch(
    branch: Branch, needs: Needs, cells: Cells, reading: Reading, log: LogQuery, *, sized: bool
) -> Iterator[pl.DataFrame]:
    """Return the totals of a branch, in pieces."""
    known, segments, branch = from_statistics(branch, cells, sized=sized)
    if known.height:
        yield _labelled(branch, needs, known)
    span = Span(cells.start_ns, cells.end_ns)
    if in_scan(branch, needs, sized=sized):
        yield from _by_scan(branch, segments, span, needs, cells, reading, log)
    else:
        yield from _by_rows(branch, segments, span, needs, cells, reading, sized=sized)


def in_scan(branch: Branch, needs: Needs, *, sized: bool) -> bool:
    """Tell whether a scan can group the lines: by columns, of lines that no stage waits for."""
    return not (branch.stages or sized or needs.every) and branch.scan.certain(needs.names)


def from_statistics(branch: Branch, cells: Cells, *, sized: bool) -> tuple[pl.DataFrame, Segments, Branch]:
    """Return totals of what counts as a whole, the segments that must be read all the same, and the branch for them."""
    columns = set(branch.loader().columns())
    if branch.stages or branch.scan.conditions or not columns <= {"_stream", *(["_line"] if sized else [])}:
        return branch.held.head(0), branch.segments, branch
    first, last = pl.col("min_time_ns"), pl.col("max_time_ns")
    inside = (first >= cells.start_ns) & (last < cells.end_ns)
    if not cells.whole:
        inside &= pl.all_horizontal(low == high for low, high in zip(cells.keys(first), cells.keys(last), strict=True))
    held = branch.held.with_columns(_inside=inside)
    known = held.filter("_inside")
    rest = held.filter(~pl.col("_inside"))
    totals = known.select("_stream", *cells.keys(first), lines=pl.col("rows").cast(pl.Int64), bytes="line_bytes")
    segments = branch.segments.only(rest["path"].unique().to_list())
    return totals, segments, branch.reading(rest, known)


def _by_scan(
    branch: Branch, segments: Segments, span: Span, needs: Needs, cells: Cells, reading: Reading, log: LogQuery
) -> Iterator[pl.DataFrame]:
    """Group in the scan, by columns of the table."""
    columns = branch.loader().columns()

    def read(some: Segments) -> pl.DataFrame:
        return pl.concat(
            [_counted(scan, columns, (), reading) for scan in reading.scans(branch, some, span, columns, grouped=True)]
        )

    def read_ticks(some: Segments, tick: int, origin: int) -> pl.DataFrame:
        key = ((nw.col("_time_ns") - origin) // tick).alias(TICK)
        timed = {**columns, "_time_ns": pl.Int64()}
        scans = reading.scans(branch, some, span, timed, grouped=True)
        return pl.concat([_counted(scan, columns, (key,), reading) for scan in scans])

    question = ("lines", str(log), branch.scan.formats, tuple(columns))
    if reading.lasting:
        known, segments = remembered(question, branch, segments, span, cells, reading, read)
        if known is not None:
            yield _labelled(branch, needs, known)
        known, segments = ticked(question, branch, segments, span, cells, reading, read_ticks)
        if known is not None:
            yield _labelled(branch, needs, known)
    timed = {} if cells.whole else {"_time_ns": pl.Int64()}
    for scan in reading.scans(branch, segments, span, columns | timed, grouped=True):
        yield _labelled(branch, needs, _counted(scan, columns, cells.keys(nw.col("_time_ns")), reading))


def _counted(scan: Frame, columns: Iterable[str], keys: Sequence[nw.Expr], reading: Reading) -> pl.DataFrame:
    """Count the lines of a scan by columns and keys."""
    if not keys and not columns:
        totals = reading.engine.collect(scan.select(lines=nw.len()))
    else:
        keyed = scan.select(*columns, *keys)
        totals = reading.engine.collect(keyed.group_by(keyed.collect_schema().names()).agg(lines=nw.len()))
    return totals.with_columns(pl.col("lines").cast(pl.Int64), bytes=pl.lit(0, pl.Int64))


def _by_rows(
    branch: Branch,
    segments: Segments,
    span: Span,
    needs: Needs,
    cells: Cells,
    reading: Reading,
    *,
    sized: bool,
) -> Iterator[pl.DataFrame]:
    """Read piece by piece, run the stages that are left, group each piece."""
    loader = branch.loader() if cells.whole and not branch.stages else branch.loader(("_time_ns",))
    size = pl.col("_line").str.len_bytes().sum().cast(pl.Int64) if sized else pl.lit(0, pl.Int64)
    time = pl.col("_time_ns")
    columns = loader.columns() or {"_time_ns": pl.Int64()}
    for scan in reading.scans(branch, segments, span, columns):
        for batch in reading.engine.batches(scan):
            reading.check()
            rows = branch.run(in_windows(loader.rows(batch), cells))
            if rows.frame.is_empty():
                continue
            refuse_errors(rows, needs)
            names = [name for name in rows.names() if needs.shows(name)]
            labels = [rows.label(name).alias(LABEL + name) for name in names]
            ones = pl.repeat(1, rows.frame.height, dtype=pl.Int64).alias("_one")  # a literal alone would be one row
            keyed = rows.frame.select(*labels, *cells.keys(time), *(["_line"] if sized else []), ones)
            keys = [column for column in keyed.columns if column not in ("_line", "_one")]
            totals = [pl.col("_one").sum().alias("lines"), size.alias("bytes")]
            yield keyed.group_by(keys).agg(totals) if keys else keyed.select(totals)


def _labelled(branch: Branch, needs: Needs, totals: pl.DataFrame) -> pl.DataFrame:
    """Turn columns of the table into labels."""
    kept = [column for column in (*CELL, *TOTALS) if column in totals.columns]
    rows = branch.loader(kept).rows(totals)
    names = [name for name in rows.names() if needs.shows(name)]
    return rows.frame.select(*(rows.label(name).alias(LABEL + name) for name in names), *kept)


def in_windows(rows: Rows, cells: Cells) -> Rows:
    """Return the rows that lie in a window: with ranges shorter than the step, some lie in none and cannot fail."""
    if cells.whole or cells.range_ns >= cells.grid.step_ns:
        return rows
    time = pl.col("_time_ns")
    return rows.where(cells.low(time) <= cells.high(time))


def refuse_errors(rows: Rows, needs: Needs) -> None:
    """Refuse lines with errors: a number made of them would be wrong, unless the query counts errors."""
    if ERROR in needs.names:
        return
    errors = rows.errors()
    if errors.height:
        kind, details = errors.select(rows.label(ERROR), rows.label(DETAILS).alias("_details")).row(0)
        raise QueryError(
            f"pipeline error: {kind}: {details}",
            hint='leave such lines out with | __error__="" after the stage that fails',
        )


def merged(pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Sum equal cells."""
    whole = pl.concat(pieces, how="diagonal")
    keys = [column for column in whole.columns if column not in TOTALS]
    sums = [pl.col(total).sum() for total in TOTALS]
    return (whole.group_by(keys).agg(sums) if keys else whole.select(sums)).filter(pl.col("lines") > 0)


def bounded(totals: pl.DataFrame, limit: int) -> None:
    """Refuse more label sets than are held."""
    labels = [column for column in totals.columns if column.startswith(LABEL)]
    if labels and totals.height > limit and totals.select(labels).n_unique() > limit:
        raise QueryError(
            f"the query makes more than {limit} series before it aggregates them",
            hint="group by few labels: sum by (…) (…)",
        )
