"""Rollups: what it costs to keep three metrics while lines come in, and what a question over all of it takes.

Bound: keeping costs at most 15 % of the CPU time of ingest, which is parsing and durable commits here: nothing that the
background does for the table counts for it. Lines come as fast as they can be stored, a commit per turn of reading, and
the keeper takes them every so many commits (`TURNS`): a million lines, which at this rate is less than its interval
brings, and a fifth of it, since a round has a price of its own however few lines there are. Afterwards its answers are
compared with those of the lines.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import polars as pl

from bench.generate import START_MS
from bench.inputs import generated
from bench.measure import OUT, Plan, Row, Timer, verdict
from bench.parse import parsed
from tailrace.batch import Batch, Position
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.engines.polars import PolarsEngine
from tailrace.query.result import Series
from tailrace.query.run import Request, run
from tailrace.rollups.metrics import Metrics
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from tailrace.query.kept import Kept

SHARE = 0.15
TURNS = (5, 25)
METRICS = {
    "lines": 'sum by (level, service) (count_over_time({filename=~".+"}[1m]))',
    "errors": 'sum by (service) (count_over_time({filename=~".+"} | status >= 500 [1m]))',
    "took": 'avg_over_time({filename=~".+"} | unwrap duration_ms [1m]) by (service)',
}


def measure(plan: Plan) -> list[Row]:
    rows = _kept(plan, TURNS[0])[:1]
    return rows + _kept(plan, TURNS[1])


def _kept(plan: Plan, every: int) -> list[Row]:
    """Keep metrics with a round every so many commits, then ask them."""
    path = generated("json", plan.import_rows, plan.seed)
    data = OUT / "rollups"
    shutil.rmtree(data, ignore_errors=True)
    table, control, clock = LogTable.open(data, create=True), Control.open(data), ManualClock(START_MS * 1_000_000)
    metrics = Metrics(control, table, PolarsEngine(), clock=clock, accounts=Accounts())
    for name, expr in METRICS.items():
        metrics.definitions.create(name, expr, now_ns=clock.now_ns())
    metrics.keeper.round()
    clock.advance(60)
    lines = number = 0
    ingest_s = keep_s = 0.0
    turns = parsed(path)
    while True:
        with Timer() as timer:
            turn = next(turns, None)
            if turn is not None:
                table.commit(
                    [
                        Batch(
                            turn.frame.drop("_in_lines", "_in_bytes"),
                            "bench",
                            turn.lines,
                            turn.lines,
                            Position("bench", number),
                        )
                    ]
                )
                table.sync()
        ingest_s += timer.cpu_s
        if turn is not None:
            number, lines = number + 1, lines + turn.lines
        if turn is None or number % every == 0:
            with Timer() as timer:
                metrics.keeper.round()
            keep_s += timer.cpu_s
        if turn is None:
            break
    held = verdict(keep_s <= SHARE * ingest_s)
    note = f"{keep_s / ingest_s:.1%} of the {ingest_s:.1f} s of ingest"
    rows = [
        Row(
            "rollups",
            f"keep 3 metrics, a round per {lines // -(-number // every):,} lines",
            lines=lines,
            cpu_s=keep_s,
            verdict=held,
            note=note,
        )
    ]
    rows += [_asked(name, expr, table, metrics.kept, lines) for name, expr in METRICS.items()]
    control.close()
    shutil.rmtree(data)
    return rows


def _asked(name: str, expr: str, table: LogTable, kept: Kept, lines: int) -> Row:
    """Ask for all minutes, from rollups and from lines."""
    end_ns = int(table.snapshot().files.select(pl.col("max_time_ns").max()).item())
    request = Request(expr, START_MS * 1_000_000, end_ns, 60_000_000_000)
    found, seconds = [], []
    for what in (kept, None):
        with Timer() as timer:
            answer = run(request, table, PolarsEngine(), what)
        assert isinstance(answer, Series)
        found.append(answer.frame)
        seconds.append(timer.seconds)
    exact = found[0].equals(found[1]) or (name == "took" and _near(*found))
    note = f"{seconds[0] * 1000:.0f} ms, from the lines {seconds[1] * 1000:.0f} ms"
    return Row("rollups", f"{name}, all minutes", seconds[0], lines, verdict=verdict(exact), note=note)


def _near(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Tell whether values differ by rounding alone: lines are summed in whatever order they are read."""
    off = ((one["value"] - other["value"]).abs() / one["value"]).max()
    return one.drop("value").equals(other.drop("value")) and isinstance(off, float) and off < 1e-12
