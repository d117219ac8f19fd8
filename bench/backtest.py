"""Back-tests: rules replayed over 30 days of history, ten million rows of which lie in the table as they would after a
month: a few segments a day, compacted.

A rule that seldom fires, one whose values are few, and one that is silent and watched for zero; each with a sweep.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.dice import ROW, Dice
from bench.generate import KINDS, START_MS
from bench.measure import OUT, Plan, Row, verdict
from bench.shapes import HOSTS
from tailrace.batch import Batch, stream_text
from tailrace.store.compact import compact
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from pathlib import Path

DAYS: Final = 30
START_NS: Final = START_MS * 10**6
DAY_NS: Final = 86_400 * 10**9
SERVICES: Final = ("cart", "search", "payment", "login")
MOST_S: Final = 10.0
PIECES: Final = 4


def fill(data: Path, rows: int, seed: int = 1) -> LogTable:
    """Return a table of so many rows over `DAYS`; it is made once."""
    if (data / "done").exists():
        return LogTable.open(data)
    shutil.rmtree(data, ignore_errors=True)
    table = LogTable.open(data, create=True)
    dice, count = Dice(seed), rows // (DAYS * PIECES)
    for piece in range(DAYS * PIECES):
        start = piece * count
        numbers = pl.DataFrame({ROW: pl.int_range(start, start + count, dtype=pl.UInt64, eager=True)})
        frame = _frame(numbers, dice, rows)
        size = int(frame["_line"].str.len_bytes().sum()) + frame.height
        table.commit([Batch(frame, "bench", frame.height, size)])
    compact(table)
    (data / "done").touch()
    return table


def _frame(numbers: pl.DataFrame, dice: Dice, rows: int) -> pl.DataFrame:
    streams = [stream_text({"app": "shop", "service": service, "host": host}) for service in SERVICES for host in HOSTS]
    time_ns = pl.col(ROW).cast(pl.Int64) * (DAYS * DAY_NS // rows) + START_NS
    columns = numbers.select(
        _time_ns=time_ns,
        _observed_ns=time_ns,
        _stream=dice.pick("stream", streams),
        duration_ms=(-dice.unit("duration").log() * 40).round(2),
    )
    lines = pl.concat([KINDS["java"](chunk, dice) for chunk in numbers.iter_slices(100_000)]).alias("_line")
    level = lines.str.extract(r" ([A-Z]+) \[").str.to_lowercase().alias("_level")
    return columns.with_columns(lines, level)
