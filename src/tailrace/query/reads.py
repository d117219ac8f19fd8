"""The scans of a branch: segments that need the same conditions are read together.

A segment that lies wholly inside the range of time needs no test of time, and one whose streams all match
needs no test of streams: what is not tested is not read from disk.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl

from tailrace.contracts import Work
from tailrace.errors import QueryTimeoutError
from tailrace.query.plan import BY_INDEX, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tailrace.contracts import Engine, Frame, Segments
    from tailrace.query.kept import Kept
    from tailrace.query.named import Recorded
    from tailrace.query.plan import Branch, Plan
    from tailrace.query.result import Stats


@dataclass(frozen=True, slots=True)
class Span:
    """A range of time, `start_ns <= t < end_ns`."""

    start_ns: int
    end_ns: int


_unwanted: ContextVar[Callable[[], bool]] = ContextVar("unwanted", default=lambda: False)


def nobody() -> bool:
    """Tell whether nobody waits for what this thread does, as `wanted_until` was told; else somebody does."""
    return _unwanted.get()()


@contextmanager
def wanted_until(unwanted: Callable[[], bool]) -> Iterator[None]:
    """Let the queries of this thread end when `unwanted` is true, those too that are not told of it one by one."""
    token = _unwanted.set(unwanted)
    try:
        yield
    finally:
        _unwanted.reset(token)


class Reading:
    """One query's reading: engine, what it costs, how long it may take, and whether anybody still waits for it.

    `lasting` is false where what is read is no file that will be read again, so that nothing is remembered of it.
    `kept` may answer range aggregations in the place of lines; `recorded` knows the series that rules recorded.
    """

    def __init__(
        self,
        engine: Engine,
        stats: Stats,
        timeout_s: float,
        cancelled: Callable[[], bool] = nobody,
        *,
        lasting: bool = True,
        kept: Kept | None = None,
        recorded: Recorded | None = None,
    ) -> None:
        self.engine = engine.within(self.check)
        self.stats = stats
        self.lasting = lasting
        self.kept = kept
        self.recorded = recorded
        self._cancelled = cancelled
        self._timeout_s = timeout_s
        self._until_s = time.monotonic() + timeout_s
        self._counted: set[str] = set()
        self._known: set[str] = set()
        self._pruned = 0
        self._rows = 0

    def planned(self, found: Plan) -> None:
        """Take note of the segments that a plan knows of, so that those never read count as skipped."""
        self.considered(found.segments)
        self.stats.segments_skipped_by_index += found.skipped.get(BY_INDEX, 0)
        self.stats.rows_skipped_by_index += found.rows_by_index

    def considered(self, segments: Segments) -> None:
        """Take note of segments that may hold an answer."""
        self._known.update(segments.frame["path"])
        self._rows = max(self._rows, int(segments.frame["rows"].sum()))
        self._pruned = max(self._pruned, segments.skipped)

    def finish(self, seconds: float) -> None:
        """Complete the statistics."""
        self.stats.seconds = seconds
        self.stats.segments_skipped = self._pruned + len(self._known - self._counted)

    def cancelled(self) -> bool:
        """Tell whether nobody waits any more."""
        return self._cancelled()

    def check(self, share: float = 1.0) -> None:
        """Give up when the time, or a share of it, is over, or nobody waits any more."""
        if self._cancelled():
            raise QueryTimeoutError("the query was cancelled")
        if time.monotonic() > self._until_s - (1 - share) * self._timeout_s:
            raise QueryTimeoutError(
                f"the query took longer than {self._timeout_s:g} s; it had read {self.stats.rows:,} of "
                f"{self._rows:,} rows that are in the range of time",
                hint="ask for less time or streams",
            )

    def scans(
        self,
        branch: Branch,
        segments: Segments,
        span: Span,
        columns: Mapping[str, pl.DataType],
        *,
        grouped: bool = False,
    ) -> Iterator[Frame]:
        """Return the wanted columns of the lines of `span` in some of the branch's segments, as a few lazy frames.

        `grouped` tells that far fewer rows are collected of them than they have.
        """
        engine = self.engine.suited(work(branch, segments, grouped=grouped)).engine
        for paths, timed, streamed in _alike(branch, segments, span):
            part = segments.only(paths)
            for few in _few(part, engine.scan_bytes):
                self.check()
                self.count(few)
                yield self._scan(engine, branch, few, columns, span if timed else None, streamed=streamed)

    def count(self, segments: Segments) -> None:
        """Count segments as read, once per query."""
        fresh = segments.only([path for path in segments.frame["path"] if path not in self._counted])
        self._counted.update(fresh.frame["path"])
        rows, whole = rows_of(fresh), int(fresh.frame["rows"].sum())
        self.stats.rows += rows
        self.stats.bytes += int(fresh.frame["bytes"].sum()) * rows // max(1, whole)
        self.stats.segments_read += fresh.frame.height

    def _scan(
        self,
        engine: Engine,
        branch: Branch,
        segments: Segments,
        columns: Mapping[str, pl.DataType],
        span: Span | None,
        *,
        streamed: bool,
    ) -> Frame:
        needed = dict(columns) | branch.scan.columns
        conditions = list(branch.scan.conditions)
        if span is not None:
            needed["_time_ns"] = pl.Int64()
            conditions.append((nw.col("_time_ns") >= span.start_ns) & (nw.col("_time_ns") < span.end_ns))
        if streamed:
            needed["_stream"] = pl.String()
            conditions.append(_of_streams(branch.held, segments))
        frame = engine.scan(segments, needed)
        if conditions:
            frame = frame.filter(reduce(and_, conditions))
        return frame.select(*columns) if columns and set(columns) != set(needed) else frame


def work(branch: Branch, segments: Segments, *, grouped: bool) -> Work:
    """Return what it takes to scan some of a branch's segments."""
    rows, whole = rows_of(segments), int(segments.frame["rows"].sum())
    size = int(segments.frame["bytes"].sum()) * rows // max(1, whole)
    return Work(rows, size, grouped or bool(branch.scan.conditions), branch.scan.portable)


def _alike(branch: Branch, segments: Segments, span: Span) -> Iterator[tuple[Sequence[str], bool, bool]]:
    """Group paths by whether time and streams must be tested, and for which streams."""
    mixed = set(branch.foreign["path"])
    groups = (
        segments.frame.join(_tested(branch), on="path", how="left")
        .select(
            "path",
            timed=(pl.col("min_time_ns") < span.start_ns) | (pl.col("max_time_ns") >= span.end_ns),
            streamed=pl.col("path").is_in(list(mixed)),
            tested="tested",
            outside=(pl.col("max_time_ns") < span.start_ns) | (pl.col("min_time_ns") >= span.end_ns),
        )
        .filter(~pl.col("outside"))
    )
    for (timed, streamed, _), group in groups.group_by("timed", "streamed", "tested", maintain_order=True):
        yield group["path"].to_list(), bool(timed), bool(streamed)


def _tested(branch: Branch) -> pl.DataFrame:
    """Return the paths whose test of streams is their own: a stream that is left out there is wanted of another one."""
    elsewhere = branch.foreign.join(branch.held.select("_stream"), on="_stream", how="semi").select("path").unique()
    own = branch.held.join(elsewhere, on="path", how="semi").group_by("path").agg(tested=pl.col("_stream").sort())
    return own.with_columns(pl.col("tested").list.join("\0"))


def _of_streams(held: pl.DataFrame, segments: Segments) -> nw.Expr:
    here = held.filter(pl.col("path").is_in(segments.frame["path"].to_list()))
    return nw.col("_stream").is_in(here["_stream"].unique().to_list())


def _few(segments: Segments, most: int) -> Iterator[Segments]:
    """Cut segments into pieces of at most about so many bytes."""
    frame = segments.frame
    if int(frame["bytes"].sum()) <= most:
        yield segments
        return
    numbers = frame["bytes"].cum_sum() // most
    for piece in frame.with_columns(_piece=numbers).partition_by("_piece"):
        yield segments.only(piece["path"].to_list())
