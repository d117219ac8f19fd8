"""How well the twin is, host by host: its paths, when events came last, and the spans in which some may be missing.

Comes in: the twin. Goes out: the numbers of `twin.health`, and a row per host. The events of the last `DAYS` days are
looked at; gaps that are open count however old they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.twin import events, sizes
from tailrace.twin.gaps import open_gaps
from tailrace.twin.health import Health, health

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.twin.reading import Twin

DAYS: Final = 7
GAPS_MOST: Final = 50

_COLUMNS: Final[Mapping[str, pl.DataType]] = {
    "_time_ns": pl.Int64(),
    "event_action": pl.String(),
    "event_reason": pl.String(),
    "event_provider": pl.String(),
    "event_start": pl.String(),
    "event_end": pl.String(),
    "file_path": pl.String(),
    "process_pid": pl.Int64(),
}
_LOOKED: Final = ("scan", "import", "poll")
"""Providers that look and cannot know who did it."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """The numbers of all together, of each host, and the gaps of the last days, newest first."""

    numbers: Health
    hosts: list[dict[str, object]]
    gaps: list[dict[str, object]]
    more_gaps: int


def healthy(twin: Twin) -> Healthy:
    """Return how well the twin is."""
    now_ns = twin.clock.now_ns()
    start_ns = now_ns - DAYS * 86_400 * NS_PER_S
    numbers = health(twin)
    snapshot = twin.logs.snapshot()
    lately = events.between(snapshot, start_ns, now_ns + 1, twin.engine, columns=_COLUMNS)
    told = pl.col("event_action") != "gap"
    by_host = lately.group_by("host").agg(
        pl.col("_time_ns").max().alias("last_ns"),
        told.sum().alias("events"),
        (~told & pl.col("event_end").is_null()).sum().alias("gaps"),
        (~told & pl.col("event_end").is_null() & (pl.col("event_reason") == "overflow")).sum().alias("overflows"),
        (told & ~pl.col("event_provider").is_in(_LOOKED).fill_null(value=False)).sum().alias("told"),
        (told & ~pl.col("event_provider").is_in(_LOOKED).fill_null(value=False) & pl.col("process_pid").is_null())
        .sum()
        .alias("nameless"),
    )
    opened = open_gaps(snapshot, twin.engine).group_by("host").len("open")
    living = sizes.split(twin.now(), "host").rename({"key": "host"})
    rows = living.join(by_host, on="host", how="full", coalesce=True).join(opened, on="host", how="left")
    counts = ["bytes", "files", "dirs", "events", "gaps", "overflows", "told", "nameless", "open"]
    rows = rows.with_columns(pl.col(counts).fill_null(0)).sort("host")
    spans = _gaps(lately)
    return Healthy(
        numbers,
        list(rows.iter_rows(named=True)),
        list(spans.head(GAPS_MOST).iter_rows(named=True)),
        max(0, spans.height - GAPS_MOST),
    )


def _gaps(lately: pl.DataFrame) -> pl.DataFrame:
    """Return one row per gap: when it opened, and when a scan closed it, if one has."""
    rows = lately.filter(pl.col("event_action") == "gap")
    spans = rows.group_by("host", "file_path", "event_start").agg(
        pl.col("event_end").max(), pl.col("event_reason").drop_nulls().first(), pl.col("_time_ns").max()
    )
    return spans.sort("_time_ns", "host", "file_path", descending=[True, False, False])
