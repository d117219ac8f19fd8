"""Answer a log query: the newest or oldest lines that pass, without reading more than that takes.

The walk goes through time from one end. A narrow scan over times alone finds where the next few hundred lines begin
that the scan's conditions let pass; then just those are read with all their columns and go through the stages that are
left. If too few remain, the next stretch is longer. Segments are visited in order of time and left out as soon as
the limit is full and none of theirs can come before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from tailrace.batch import READ_ORDER
from tailrace.errors import QueryError, QueryTimeoutError
from tailrace.limits import LINES_HELD_BYTES
from tailrace.query.needs import Needs
from tailrace.query.plan import plan, rows_of
from tailrace.query.reads import Span
from tailrace.query.result import LINES_SCHEMA, META, PARSED, STREAM, Lines
from tailrace.query.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.contracts import Segments, Snapshot
    from tailrace.query.plan import Branch, Plan
    from tailrace.query.reads import Reading
    from tailrace.query.syntax import LogQuery

Direction = Literal["backward", "forward"]

EVERYTHING: Final = Needs(every=True, line=True)
"""What an answer of lines shows: the line and every label."""

SAME: Final = "_same"
"""Column of what a line that came from no file is known by."""

_ROW: Final = "_row"
ORDER: Final = (*READ_ORDER, _ROW)
"""`READ_ORDER` leaves lines of one push with equal times undecided: they stay as they were pushed."""

KEPT: Final = (*READ_ORDER, "_level", "_line")
FIRST_GUESS: Final = 4
"""Lines looked at per line asked for, in the first stretch, when stages are left that may drop some."""

PATIENCE: Final = 0.9
"""Share of a query's time after which lines that were found are answered, before who asked gives up waiting."""

LARGEST_STRETCH: Final = 250_000
"""Lines of the longest stretch: what is read at once into memory."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which lines are asked for."""

    start_ns: int
    end_ns: int
    limit: int  # 0 = all
    direction: Direction


def lines(query: LogQuery, window: Window, snapshot: Snapshot, reading: Reading) -> Lines:
    """Answer a log query."""
    return answer(plan(query, EVERYTHING, (window.start_ns, window.end_ns), snapshot, reading.engine), window, reading)


def answer(found: Plan, window: Window, reading: Reading) -> Lines:
    """Read the lines of a plan.

    When the time is over, those that were found by then are the answer, and it says that it is not complete: they are
    the first ones, without a gap. All lines (no limit) are refused when memory would not hold them.
    """
    reading.planned(found)
    if not window.limit:
        return Lines(in_order(stacked(_held(found, window, reading)), window), reading.stats)
    frames: list[pl.DataFrame] = []
    try:
        for frame in walk(found, window, reading):
            frames.append(frame)
            if sum(one.height for one in frames) >= window.limit:
                break
            reading.check(PATIENCE)
    except QueryTimeoutError:
        if reading.cancelled() or not any(frame.height for frame in frames):
            raise
        return _cut(stacked(frames), window, reading)
    return Lines(in_order(stacked(frames), window), reading.stats)


def _held(found: Plan, window: Window, reading: Reading) -> list[pl.DataFrame]:
    """Return all lines, as long as memory may hold them."""
    frames: list[pl.DataFrame] = []
    size = 0
    for frame in _all(found, Span(window.start_ns, window.end_ns), reading):
        frames.append(frame)
        size += int(frame.estimated_size())
        if size > LINES_HELD_BYTES:
            held, rows = sum(one.height for one in frames), sum(rows_of(branch.segments) for branch in found.branches)
            raise QueryError(
                f"the answer is larger than {LINES_HELD_BYTES >> 20} MiB: {held:,} lines by now, out of {rows:,} rows",
                hint="ask for less time, with a limit, or page by page (output=jsonl)",
            )
    return frames


def _cut(frame: pl.DataFrame, window: Window, reading: Reading) -> Lines:
    backward = window.direction == "backward"
    edge_ns = int(frame["_time_ns"].sort()[0 if backward else -1])
    edge = datetime.fromtimestamp(edge_ns // 10**9, UTC).isoformat()
    warning = (
        f"the time was over before all was looked at: lines {'before' if backward else 'after'} {edge} are missing"
    )
    return Lines(in_order(frame, window), reading.stats, complete=False, warnings=(warning,))


def stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return frames of lines under each other; labels that a frame lacks are absent there."""
    empty = pl.DataFrame(schema={_ROW: pl.UInt32, **LINES_SCHEMA})
    return distinct(pl.concat([empty, *frames], how="diagonal"))


def distinct(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the lines without repeats: a line that came from no file is known by its stream, time and text only.

    A sender that saw no answer pushes again; lines of files are told apart by their offset, however alike they are.
    """
    if SAME not in frame.columns:
        return frame
    return frame.filter(pl.col(SAME).is_null() | pl.col(SAME).is_first_distinct())


def in_order(frame: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Return the first lines in answer order, with the columns that an answer has."""
    backward = window.direction == "backward"
    frame = frame.sort(ORDER, descending=backward, nulls_last=backward, maintain_order=True)
    if window.limit:
        frame = frame.head(window.limit)
    labels = sorted(
        (name for name in frame.columns if name.startswith((STREAM, META, PARSED))),
        key=lambda name: ((STREAM, META, PARSED).index(name.partition(".")[0] + "."), name),
    )
    held = [name for name in labels if frame[name].null_count() < frame.height]
    return frame.select(*LINES_SCHEMA, *held)


def _all(found: Plan, span: Span, reading: Reading) -> Iterator[pl.DataFrame]:
    for branch in found.branches:
        yield from read(branch, branch.segments, span, reading)


def read(branch: Branch, segments: Segments, span: Span, reading: Reading) -> Iterator[pl.DataFrame]:
    """Read and run the lines of a range of time, piece by piece."""
    loader = branch.loader(KEPT)
    place = 0  # runs on over the pieces: lines of one push that share a time may lie in two of them
    for scan in reading.scans(branch, segments, span, loader.columns()):
        for batch in reading.engine.batches(scan, ordered=True):
            reading.check()
            rows = branch.run(Rows(_known_again(loader.rows(batch)).frame.with_row_index(_ROW, place)))
            place += batch.height
            if rows.frame.height:
                yield rows.frame


def _known_again(rows: Rows) -> Rows:
    """Note what a line that came from no file is known by, before stages make others look like it."""
    if not rows.frame["_offset"].null_count():
        return rows
    same = pl.struct("_stream", "_time_ns", "_line").hash()
    return Rows(rows.frame.with_columns(pl.when(pl.col("_offset").is_null()).then(same).alias(SAME)))


def walk(found: Plan, window: Window, reading: Reading) -> Iterator[pl.DataFrame]:
    """Return the lines stretch after stretch, from the near end of the window on; unordered within a stretch.

    Memory holds one stretch, and a consumer that has enough simply stops.
    """
    if found.rows_by_index and sum(rows_of(branch.segments) for branch in found.branches) <= LARGEST_STRETCH:
        yield stacked([*_all(found, Span(window.start_ns, window.end_ns), reading)])  # a needle: one look is enough
        return
    backward = window.direction == "backward"
    guess = window.limit * (FIRST_GUESS if any(branch.stages for branch in found.branches) else 1)
    size = min(guess or LARGEST_STRETCH, LARGEST_STRETCH)
    rest = Span(window.start_ns, window.end_ns)
    while True:
        stretches = [(branch, _stretch(branch, rest, size, window.direction, reading)) for branch in found.branches]
        stretches = [(branch, stretch) for branch, stretch in stretches if len(stretch.times)]
        if not stretches:
            return
        near, far = _reach([stretch.times for _, stretch in stretches], size, backward=backward)
        span = Span(far, near + 1) if backward else Span(near, far + 1)
        yield stacked(
            [
                frame
                for branch, stretch in stretches
                for frame in read(branch, branch.segments.only(stretch.paths), span, reading)
            ]
        )
        if all(len(stretch.times) < size for _, stretch in stretches):
            return
        rest = Span(rest.start_ns, far) if backward else Span(far + 1, rest.end_ns)
        size = min(size * 8, LARGEST_STRETCH)


def _reach(times: Sequence[pl.Series], size: int, *, backward: bool) -> tuple[int, int]:
    """Return the times between which every branch's lines are known: a full stretch may have more behind its end."""
    nearest, farthest = (max, min) if backward else (min, max)
    near = nearest(int(found[0]) for found in times)
    full = [int(found[-1]) for found in times if len(found) == size]
    return near, nearest(full) if full else farthest(int(found[-1]) for found in times)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The times of the first lines that the scan's conditions let pass, near end first, and where they lie."""

    times: pl.Series
    paths: list[str]


def _stretch(branch: Branch, span: Span, size: int, direction: Direction, reading: Reading) -> _Stretch:
    """Find the first `size` lines from the near end of `span`, or all, if there are fewer."""
    backward = direction == "backward"
    near = "max_time_ns" if backward else "min_time_ns"
    order = branch.segments.frame.sort(near, descending=backward)
    times = pl.Series([], dtype=pl.Int64)
    paths: list[str] = []
    group = 1
    while order.height:
        if len(times) == size:  # full: a segment that begins behind the last of them cannot add any
            edge = int(times[-1])
            span = Span(edge, span.end_ns) if backward else Span(span.start_ns, edge + 1)
            order = order.filter(pl.col(near) >= edge if backward else pl.col(near) <= edge)
        here = order["path"][:group].to_list()
        order, group = order[group:], group * 2
        times_only = {"_time_ns": pl.Int64()}
        for scan in reading.scans(branch, branch.segments.only(here), span, times_only, grouped=True):
            found = reading.engine.collect(scan.top_k(size, by="_time_ns", reverse=not backward))["_time_ns"]
            if len(found):
                paths.extend(path for path in here if path not in paths)
                times = pl.concat([times, found]).sort(descending=backward).head(size)
    return _Stretch(times, paths)
