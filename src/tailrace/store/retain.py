"""Retention: which segments go, the oldest first, and never the newest.

A segment's age counts from the later of its last event and its last arrival, so old logs that were
imported today stay their full time. `plan` is pure; `retain` commits what it says. The bytes come back when
`vacuum` has waited for the readers.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.store.replace import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.store.settings import RetentionSettings
    from tailrace.store.table import LogTable

DAY_NS: Final = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class RetainReport:
    """What retention dropped, and which limit asked for it: `days`, `bytes`, `disk_share`."""

    files: int
    rows: int
    bytes: int
    by: tuple[str, ...]


def retain(table: LogTable, *, now_ns: int | None = None, free_bytes: int | None = None) -> RetainReport:
    """Drop the segments that are over the limits of the settings; the file system is asked for its free bytes."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    settings = table.settings.retention
    if table.place.endless:
        settings = settings.model_copy(update={"disk_share": None})
    free_bytes = shutil.disk_usage(table.root).free if free_bytes is None else free_bytes
    dropped = plan(table.snapshot().files, settings, now_ns, free_bytes)
    if dropped.is_empty() or not replace(table, dropped, [], data_change=True, why="retention"):
        return RetainReport(0, 0, 0, ())
    by = tuple(sorted(set(dropped["by"])))
    return RetainReport(dropped.height, int(dropped["rows"].sum()), int(dropped["bytes"].sum()), by)


def plan(files: pl.DataFrame, settings: RetentionSettings, now_ns: int, free_bytes: int) -> pl.DataFrame:
    """Return the files that go, with the limit that asks for it in `by`.

    The disk's limit is a share of what the table and the free space are together, so what others
    fill is not the table's to make good.
    """
    oldest = files.select("path", "rows", "bytes", "date", last_ns=_last_ns(files)).sort("last_ns", "path")
    total = int(files["bytes"].sum())
    most: dict[str, float] = {}
    if settings.bytes is not None:
        most["bytes"] = settings.bytes
    if settings.disk_share is not None:
        most["disk_share"] = settings.disk_share * (total + free_bytes)
    left = total - pl.col("bytes").cum_sum() + pl.col("bytes")  # bytes of this file and all newer ones
    reasons = [pl.when(left > limit).then(pl.lit(name)) for name, limit in most.items()]
    if settings.days is not None:
        aged = pl.col("last_ns") < now_ns - round(settings.days * DAY_NS)
        return _reasoned(oldest, [pl.when(aged).then(pl.lit("days"))], reasons)
    return _reasoned(oldest, [], reasons)


def _reasoned(oldest: pl.DataFrame, by_age: Sequence[pl.Expr], by_size: Sequence[pl.Expr]) -> pl.DataFrame:
    """Age may take every file; size always leaves the newest one."""
    newest = pl.int_range(pl.len()) == pl.len() - 1
    sized = [pl.when(~newest).then(reason) for reason in by_size]
    by = pl.coalesce(*by_age, *sized, pl.lit(None, pl.String))
    return oldest.with_columns(by=by).filter(pl.col("by").is_not_null())


def _last_ns(files: pl.DataFrame) -> pl.Expr:
    arrived = ["max._observed_ns"] if "max._observed_ns" in files.columns else []
    return pl.max_horizontal("max_time_ns", *arrived).fill_null(pl.col("modified_ns"))
