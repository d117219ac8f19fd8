"""Deletion of rows: those of some streams in a time range, counted first when asked to.

A file of which every row goes is dropped; of the others those that hold such rows are written anew without
them, one commit per file, so a deletion that is interrupted has deleted some and can be run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.errors import TableError, TransientError
from tailrace.store import place, skip
from tailrace.store.compact import write_sorted
from tailrace.store.failures import translated
from tailrace.store.replace import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.store.table import LogTable

ATTEMPTS: Final = 5
"""Times that a deletion looks again after others changed the files under it."""


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """What a deletion did, or would do in a dry run."""

    rows: int
    files_dropped: int
    files_rewritten: int
    dry_run: bool


def delete(
    table: LogTable,
    *,
    streams: Sequence[str],
    start_ns: int,
    end_ns: int,
    dry_run: bool = True,
    also: pl.Expr | None = None,
) -> DeleteReport:
    """Delete the rows of some streams (their canonical texts) with `start_ns <= _time_ns < end_ns`.

    `also` is a further condition, row by row, on columns that every segment has, such as `_line`; null is no.
    """
    doomed = pl.col("_stream").is_in(list(streams)) & pl.col("_time_ns").is_between(start_ns, end_ns, closed="left")
    if also is not None:
        doomed &= also.fill_null(value=False)
    why = f"delete:{start_ns}:{end_ns}"
    rows = dropped = rewritten = 0
    for _ in range(ATTEMPTS):
        found = _found(table, doomed, streams, (start_ns, end_ns), counted=also is None)
        whole, partly = (
            found.filter(pl.col("doomed") == pl.col("rows")),
            found.filter(pl.col("doomed") < pl.col("rows")),
        )
        if dry_run:
            return DeleteReport(int(found["doomed"].sum()), whole.height, partly.height, dry_run=True)
        conflict = False
        if whole.height and replace(table, whole, [], data_change=True, why=why):
            rows, dropped = rows + int(whole["doomed"].sum()), dropped + whole.height
        else:
            conflict = bool(whole.height)
        for one in partly.iter_slices(1):
            if _rewrite(table, one, doomed, why):
                rows, rewritten = rows + int(one["doomed"].item()), rewritten + 1
            else:
                conflict = True
        if not conflict:
            return DeleteReport(rows, dropped, rewritten, dry_run=False)
    raise TransientError(
        f"{table.where}: other programs kept changing the files; {rows} rows were deleted, run it again"
    )


def _found(
    table: LogTable, doomed: pl.Expr, streams: Sequence[str], span: tuple[int, int], *, counted: bool
) -> pl.DataFrame:
    """Return the files that hold doomed rows, and how many; what statistics have `counted` is not counted again."""
    start_ns, end_ns = span
    segments = table.snapshot().segments(start_ns, end_ns)
    with translated(table.where, "counting the rows"):
        held = segments.streams().filter(pl.col("_stream").is_in(list(streams)))
        inside = (pl.col("min_time_ns") >= start_ns) & (pl.col("max_time_ns") < end_ns)
        counts = {
            path: int(part["rows"].sum())
            if counted and part.select(inside.all()).item()
            else _count(table, path, doomed)
            for (path,), part in held.partition_by("path", as_dict=True).items()
        }
    schema = {"path": pl.String(), "doomed": pl.Int64()}
    found = pl.DataFrame({"path": list(counts), "doomed": list(counts.values())}, schema=schema)
    return segments.frame.join(found, on="path").filter(pl.col("doomed") > 0).sort("min_time_ns", "path")


def _count(table: LogTable, path: str, doomed: pl.Expr) -> int:
    rows = place.scan(table.place.opened([path])).filter(doomed).select(pl.len())
    return int(rows.collect(engine="streaming").item())


def _rewrite(table: LogTable, one: pl.DataFrame, doomed: pl.Expr, why: str) -> bool:
    with translated(table.where, "writing the rows that stay"):
        kept = write_sorted(table, one["path"].to_list(), one["date"][0], keep=~doomed.fill_null(value=False))
    if kept.rows != one["rows"].item() - one["doomed"].item():
        table.files.unlink(kept.file)
        raise TableError(f"{one['path'].item()}: {kept.rows} rows would stay, not as counted; nothing changed")
    if not replace(table, one, [kept], data_change=True, why=why):
        return False
    skip.add(kept.file, kept.rows, table.files)
    return True
