"""Compaction: many small segments of a date become few sorted ones.

Segments are joined with others of about their size (a *tier*), so a row is rewritten a few times in its
life and not once a minute. Segments of a date that has grown quiet are joined whatever their size.
The rows are sorted by (`_stream`, `_time_ns`, `_observed_ns`, `_offset`), piece by piece: the ranges
of streams and times that fill a piece are known beforehand, so memory is bounded whatever the size.
The old files stay on disk for queries that read them, until `vacuum`. What stays as it is gets a skip index.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.clock import NS_PER_S
from tailrace.errors import TableError
from tailrace.store import joiner, pieces, segment, skip
from tailrace.store.failures import translated
from tailrace.store.replace import replace

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from tailrace.store.segment import Segment
    from tailrace.store.table import LogTable

TIER_FILES: Final = 8
"""Segments of one tier that are joined; also the growth from tier to tier."""

TIER_BYTES: Final = 16 * limits.KIB
"""Size below which a segment is of the lowest tier."""

APART_ROWS: Final = 200_000
"""Rows that are joined in a process of its own: the start of one takes half a second."""

QUIET_S: Final = 900.0
"""Time without a new segment after which a date's segments are joined whatever their size."""


@dataclass(frozen=True, slots=True)
class CompactReport:
    """What a compaction did."""

    merges: int
    files_before: int
    files_after: int
    rows: int
    bytes_before: int
    bytes_after: int
    indexed: int


def compact(
    table: LogTable,
    *,
    now_ns: int | None = None,
    everything: bool = False,
    stopping: Callable[[], bool] = bool,
    beside: bool = False,
) -> CompactReport:
    """Join the segments that are due; with `everything`, all small ones of every date.

    It stops between two merges when `stopping` says so. With `beside`, what takes long is done in a process of its own.
    A merge whose inputs somebody else changed meanwhile is given up without a trace: the next call sees it anew.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    files = table.snapshot().files
    merged: list[tuple[pl.DataFrame, Segment]] = []
    for group in plan(files, now_ns, table.settings.segment_bytes, everything=everything):
        if stopping():
            break
        apart = beside and int(group["rows"].sum()) >= APART_ROWS
        done = _merge_beside(table, group, stopping) if apart else _merge(table, group)
        if done is not None:
            merged.append((group, done))
    indexed = len(table.place.there([str(skip.index_file(done.file)) for _, done in merged]))
    indexed += _index(table, now_ns, stopping, everything=everything)
    return CompactReport(
        merges=len(merged),
        files_before=sum(group.height for group, _ in merged),
        files_after=len(merged),
        rows=sum(done.rows for _, done in merged),
        bytes_before=sum(int(group["bytes"].sum()) for group, _ in merged),
        bytes_after=sum(done.bytes for _, done in merged),
        indexed=indexed,
    )


def _index(table: LogTable, now_ns: int, stopping: Callable[[], bool], *, everything: bool) -> int:
    """Index segments that no merge is going to take and that have no index; return how many got one."""
    stays = pl.col("bytes") >= table.settings.segment_bytes // 2
    quiet = pl.col("modified_ns") < now_ns - round(QUIET_S * NS_PER_S)
    found = table.snapshot().files.filter(pl.col("rows") >= limits.SKIP_ROWS, stays | quiet | pl.lit(everything))
    have = {index.path for index in table.place.listed(f"{skip.FOLDER}/*{skip.SUFFIX}")}
    done = 0
    for path, rows in found.select("path", "rows").iter_rows():
        if stopping():
            break
        if skip.index_file(Path(path)) not in have:
            with translated(table.where, "indexing segments"), table.place.lent(path) as file:
                done += skip.add(file, rows, table.files, skip.index_file(Path(path)))
    return done


def plan(files: pl.DataFrame, now_ns: int, segment_bytes: int, *, everything: bool = False) -> list[pl.DataFrame]:
    """Return the groups of files that are to be joined, each of one date and together no larger than a segment."""
    small = files.filter(pl.col("bytes") < segment_bytes // 2, pl.col("rows") > 0).sort("min_time_ns", "path")
    groups: list[pl.DataFrame] = []
    for day in small.partition_by("date", maintain_order=True):
        quiet = bool(day.select(pl.col("modified_ns").max() < now_ns - round(QUIET_S * NS_PER_S)).item())
        if everything or quiet:
            groups += [group for group in _filled(day, segment_bytes) if group.height > 1]
            continue
        tier = (pl.col("bytes") / TIER_BYTES).clip(lower_bound=1).log(TIER_FILES).floor()
        for peers in day.with_columns(tier.alias("tier")).partition_by("tier", maintain_order=True):
            if peers.height >= TIER_FILES:
                groups += [group.drop("tier") for group in _filled(peers, segment_bytes) if group.height > 1]
    return groups


def _filled(files: pl.DataFrame, segment_bytes: int) -> list[pl.DataFrame]:
    group = pl.col("bytes").cum_sum() // segment_bytes
    return files.with_columns(group.alias("group")).partition_by("group", maintain_order=True, include_key=False)


def _merge(table: LogTable, group: pl.DataFrame) -> Segment | None:
    with translated(table.where, "joining segments"):
        merged = write_sorted(table, group["path"].to_list(), group["date"][0])
    if not _replaced(table, group, merged):
        return None
    skip.add(merged.file, merged.rows, table.files)
    return merged


def _merge_beside(table: LogTable, group: pl.DataFrame, stopping: Callable[[], bool]) -> Segment | None:
    task = joiner.Task(
        str(table.root),
        table.place.url(str(table.root)),
        table.place.settings.model_dump(),
        group["date"][0].isoformat(),
        group["path"].to_list(),
        table.settings.compacted_zstd_level,
        list(table.snapshot().columns),
    )
    with joiner.joined(task, stopping) as merged:
        if merged is None or not _replaced(table, group, merged.segment):
            return None
        merged.index()
        return merged.segment


def _replaced(table: LogTable, group: pl.DataFrame, merged: Segment) -> bool:
    if merged.rows != group["rows"].sum():
        segment.discard(merged.file, table.files)
        paths = group["path"].to_list()
        raise TableError(
            f"{table.where}: joining {paths} gave {merged.rows} rows of {group['rows'].sum()}; nothing changed"
        )
    return replace(table, group, [merged])


def write_sorted(table: LogTable, paths: Sequence[str], date: dt.date, keep: pl.Expr | None = None) -> Segment:
    """Write the rows of some files of one date (that are to be kept) as one sorted segment."""
    rows, found = pieces.sorted_rows(table.place.opened(paths), table.streams_of(paths), keep)
    level, columns = table.settings.compacted_zstd_level, table.snapshot().columns
    return segment.write_pieces(table.root, date, rows, found, table.files, level=level, columns=columns)
