"""Object storage: the same questions over a table in a folder and in a bucket, with nothing near and with all of it.

The bucket is moto's server on loopback, in a process of its own: what is measured is what the store adds (requests,
mirror, cache), not a network. `cold` is the first question of a program that has seen nothing of the table.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.measure import OUT, Plan, Row
from tailrace.batch import Batch
from tailrace.clock import NS_PER_S
from tailrace.engines.polars import PolarsEngine
from tailrace.query.run import Request, run
from tailrace.store.compact import compact
from tailrace.store.table import LogTable

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from s3 import serving

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_ROWS: Final = 250_000
START_NS: Final = 1_790_000_000 * NS_PER_S
STEP_NS: Final = 1_000_000
NEEDLE: Final = "4711beef"
ALL: Final = '{app=~".+"}'
QUESTIONS: Final = {
    "count": f"sum(count_over_time({ALL}[{{span}}]))",
    "count of status >= 500": f"sum(count_over_time({ALL} | status >= 500 [{{span}}]))",
    "lines of one trace id": f'{ALL} | trace="{NEEDLE}"',
    "last 100 errors": f'{ALL} |= "failed"',
}


def measure(plan: Plan) -> list[Row]:
    """Fill both tables, then ask."""
    data = OUT / "objects"
    shutil.rmtree(data, ignore_errors=True)
    with serving() as server:
        bucket = server.bucket("bench")
        os.environ.update(bucket.environment)
        rows = [*_place("folder", data, "", plan), *_place("bucket", data, f"{bucket.url}/t", plan)]
    shutil.rmtree(data)
    return rows


def _place(name: str, data: Path, url: str, plan: Plan) -> list[Row]:
    """Store rows, join them, and ask: from a folder that has seen nothing if the table lies elsewhere, then again."""
    table = LogTable.open(data / name, create=True, url=url)
    stored_s = 0.0
    for start in range(0, plan.rows, CHUNK_ROWS):
        chunk = _rows(start, min(CHUNK_ROWS, plan.rows - start))
        stored_s += _timed(lambda: table.commit([Batch(chunk, "bench", chunk.height, 0)]))  # noqa: B023  called at once
    quiet_s = min(_timed(table.snapshot) for _ in range(20))
    joined_s = _timed(lambda: compact(table, everything=True))
    size = int(table.snapshot().files["bytes"].sum())
    rows = [
        Row("objects", f"{name}: store", stored_s, plan.rows, size),
        Row("objects", f"{name}: join and index", joined_s, plan.rows, size),
        Row("objects", f"{name}: look for news", quiet_s, note=f"{quiet_s * 1000:.2f} ms"),
    ]
    for number, (what, query) in enumerate(QUESTIONS.items()):
        if url:
            cold = data / f"cold {number}"
            seconds = _timed(lambda: _ask(LogTable.open(cold, url=url), query, plan.rows))  # noqa: B023  called at once
            rows.append(Row("objects", f"{name}: {what}, cold", seconds, plan.rows))
            shutil.rmtree(cold)
        warm_s = min(_timed(lambda: _ask(table, query, plan.rows)) for _ in range(plan.repeat))  # noqa: B023  as above
        rows.append(Row("objects", f"{name}: {what}", warm_s, plan.rows))
    return rows


def _ask(table: LogTable, query: str, rows: int) -> None:
    end_ns = START_NS + rows * STEP_NS
    text = query.replace("{span}", f"{rows * STEP_NS // NS_PER_S + 1}s")
    answer = run(Request(text, START_NS, end_ns, limit=100), table, PolarsEngine())
    assert answer.complete
    assert answer.frame.height > 0


def _rows(start: int, count: int) -> pl.DataFrame:
    """Return rows as an application writes them: a service, a status, a duration, an id of its own each."""
    number = pl.int_range(start, start + count, dtype=pl.Int64, eager=True).alias("n").to_frame()
    n = pl.col("n")
    mixed = n.hash(seed=1)
    return number.select(
        (START_NS + n * STEP_NS).alias("_time_ns"),
        (START_NS + n * STEP_NS).alias("_observed_ns"),
        pl.concat_str(pl.lit('{app="'), n % 20, pl.lit('"}')).alias("_stream"),
        pl.format(
            "request {} {} in {} ms",
            mixed % 100_000,
            pl.when(mixed % 50 == 0).then(pl.lit("failed")).otherwise(pl.lit("done")),
            mixed % 997,
        ).alias("_line"),
        (n * 100).alias("_offset"),
        pl.when(mixed % 50 == 0).then(500).otherwise(200).cast(pl.Int64).alias("status"),
        pl.when(n == start).then(pl.lit(NEEDLE)).otherwise(pl.format("{}", mixed)).alias("trace"),
    )


def _timed(action: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    action()
    return time.perf_counter() - began_s
