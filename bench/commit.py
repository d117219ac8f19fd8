"""Commit: rows to a durable version of the table, small as when tailing and large as when importing."""

from __future__ import annotations

import shutil
import statistics
from itertools import islice

import polars as pl

from bench.inputs import generated
from bench.measure import OUT, Plan, Row, Timer
from bench.parse import parsed
from tailrace import limits
from tailrace.batch import Batch, Position
from tailrace.store.table import LogTable

SMALL_ROWS = 5_000
SMALL_COMMITS = 30


def measure(plan: Plan) -> list[Row]:
    large_rows = min(plan.import_rows, limits.COMMIT_ROWS)
    path = generated("json", plan.import_rows, plan.seed)
    frame = pl.concat([turn.frame for turn in islice(parsed(path), 9)], how="diagonal_relaxed").head(large_rows)
    line_bytes = path.stat().st_size // plan.import_rows
    data = OUT / "commit"
    shutil.rmtree(data, ignore_errors=True)
    table = LogTable.open(data, create=True)
    rows = []
    number = 0
    for height, times in ((SMALL_ROWS, SMALL_COMMITS), (frame.height, plan.repeat)):
        samples, cpu_s = [], 0.0
        for turn in range(times):
            start = turn * height % max(frame.height - height, 1)
            batch = Batch(
                frame[start : start + height], "bench", height, height * line_bytes, Position("bench", number)
            )
            number += 1
            with Timer() as timer:
                table.commit([batch])
                table.sync()
            samples.append(timer.seconds)
            cpu_s += timer.cpu_s
        median = statistics.median(samples)
        what = f"{height:,} rows, durable"
        note = f"{median * 1000:.1f} ms a commit, slowest {max(samples) * 1000:.1f} ms"
        rows.append(Row("commit", what, median, height, height * line_bytes, cpu_s / times, note=note))
    shutil.rmtree(data)
    return rows
