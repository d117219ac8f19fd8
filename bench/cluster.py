"""Cluster: the same questions over one table on S3, scanned by this process and by a Sail server on the same machine.

On one machine a cluster cannot be faster: both have the same cores, and S3 is moto's server beside them. This shows
what a scan on a cluster costs more, which `engines.choose` weighs against what it saves; and that both say the same.
Polars reads its segments from the cache in the data folder, as it does in a server; Sail reads S3.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.generate import START_MS, STEP_MS
from bench.inputs import generated
from bench.measure import OUT, Plan, Row
from bench.parse import parsed
from tailrace.batch import Batch
from tailrace.engines.connection import Connection
from tailrace.engines.polars import PolarsEngine
from tailrace.engines.spark import SparkEngine
from tailrace.query import remembered
from tailrace.query.run import Request, run
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from tailrace.contracts import Engine

QUESTIONS = {
    "histogram by level": 'sum by (detected_level) (count_over_time({filename=~".+"}[1m]))',
    "count of a status": 'sum(count_over_time({filename=~".+"} | status >= 500 [1h]))',
    "count of a regex": 'sum(count_over_time({filename=~".+"} |~ "timed? ?out|took [0-9]{3,} ms" [1h]))',
    "mean by service": 'avg_over_time({filename=~".+"} | unwrap duration_ms [1h]) by (service)',
}


def measure(plan: Plan) -> list[Row]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the servers are those of the tests
    import s3
    import sail

    with ExitStack() as stack:
        bucket = stack.enter_context(s3.serving()).bucket("bench")
        os.environ.update(bucket.environment)
        table = _table(plan, f"{bucket.url}/logs")
        url = stack.enter_context(sail.serving({"AWS_ENDPOINT": bucket.endpoint}))
        cluster = SparkEngine(Connection(url))
        return [_row(what, query, plan, table, cluster) for what, query in QUESTIONS.items()]


def _table(plan: Plan, url: str) -> LogTable:
    data = OUT / "cluster"
    shutil.rmtree(data, ignore_errors=True)
    table = LogTable.open(data, create=True, url=url)
    for turn in parsed(generated("json", plan.rows, plan.seed)):
        frame = turn.frame.drop("_in_lines", "_in_bytes")
        table.commit([Batch(frame, "bench", turn.lines, turn.lines)])
    return table


def _row(what: str, query: str, plan: Plan, table: LogTable, cluster: Engine) -> Row:
    (here_s, here), (there_s, there) = (_fastest(query, plan, table, engine) for engine in (PolarsEngine(), cluster))
    if here != there:
        raise SystemExit(f"{what}: the answers differ")
    return Row("cluster", what, there_s, plan.rows, ratio=there_s / here_s, note=f"by Polars {here_s:.2f} s")


def _fastest(query: str, plan: Plan, table: LogTable, engine: Engine) -> tuple[float, Any]:
    step_ns = 60 * 10**9
    start_ns = START_MS * 10**6
    request = Request(query, start_ns, start_ns + plan.rows * STEP_MS * 10**6, step_ns, timeout_s=600)
    found: list[tuple[float, Any]] = []
    for _ in range(plan.repeat):
        remembered._known.clear()  # noqa: SLF001  else totals of segments would be counted once for both
        began = time.perf_counter()
        answer = run(request, table, engine)
        found.append((time.perf_counter() - began, (answer.labels, _rounded(answer))))
    return min(found, key=lambda one: one[0])


def _rounded(answer: Any) -> list[tuple[int, ...]]:  # a `Series`, whose floats may differ in the last digit
    return sorted((series, at, round(value, 6)) for series, at, value in answer.frame.iter_rows())
