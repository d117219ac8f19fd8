"""Gaps: spans of time in which events may have been missed, as the source writes them down.

A gap has one row when it opens and one, with an end, when a rescan has closed it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import narwhals as nw
import polars as pl

from tailrace.twin import events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.contracts import Engine, Snapshot

_COLUMNS: Final[Mapping[str, pl.DataType]] = {
    name: pl.String() for name in ("event_action", "file_path", "event_start", "event_end")
}


def open_gaps(logs: Snapshot, engine: Engine, hosts: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the gaps that no rescan has closed: `host`, `file_path`, `event_start`."""
    is_gap = nw.col("event_action") == "gap"
    found = events.between(logs, -events.EVER, events.EVER, engine, columns=_COLUMNS, hosts=hosts, condition=is_gap)
    ends = found.group_by("host", "file_path", "event_start").agg(closed=pl.col("event_end").is_not_null().any())
    return ends.filter(~pl.col("closed")).drop("closed").sort("host", "file_path", "event_start")
