"""Batches for tests of the store, and a look at what a table holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import Batch, Position

if TYPE_CHECKING:
    from tailrace.store.table import LogTable

START_NS = 1_700_000_000_000_000_000  # 2023-11-14 22:13:20 UTC
DAY_NS = 86_400_000_000_000


def batch(
    lines: list[str],
    agent: str | None = None,
    number: int = 0,
    *,
    start_ns: int = START_NS,
    step_ns: int = 1_000_000,
    stream: str = '{app="a"}',
    observed_ns: int | None = None,
    **fields: list,
) -> Batch:
    count = len(lines)
    frame = pl.DataFrame(
        {
            "_time_ns": [start_ns + step_ns * number for number in range(count)],
            "_observed_ns": [observed_ns if observed_ns is not None else start_ns] * count,
            "_stream": [stream] * count,
            "_line": lines,
            "_offset": [10 * number for number in range(count)],
            **fields,
        },
        schema_overrides={"_stream": pl.String, "_line": pl.String},
    )
    size = sum(len(line) + 1 for line in lines)
    return Batch(frame, "test", count, size, None if agent is None else Position(agent, number))


def stored(table: LogTable, *columns: str) -> pl.DataFrame:
    """All rows of the newest version, in the order of their times, then lines."""
    snapshot = table.snapshot()
    schema = {name: dtype for name, dtype in snapshot.columns.items() if name != "_date"}
    paths = snapshot.files["path"].to_list()
    if not paths:
        return pl.DataFrame(schema=schema).select(columns or pl.all())
    scan = pl.scan_parquet(
        paths, schema=schema, missing_columns="insert", extra_columns="ignore", glob=False, hive_partitioning=False
    )
    return scan.collect().sort("_time_ns", "_line").select(columns or pl.all())


def lines(table: LogTable) -> list[str]:
    return stored(table)["_line"].to_list()


def unnamed(table: LogTable) -> set[Path]:
    """Data files on disk that the newest version does not name."""
    return set(table.root.glob("_date=*/*.parquet")) - {Path(path) for path in table.snapshot().files["path"]}
