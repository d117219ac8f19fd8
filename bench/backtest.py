"""Back-tests: rules replayed over 30 days of ten million lines, which lie in the table as they would after a month.

Windows of five minutes, one each minute: 43,200 of them. A rule on a word, one for each host and service, one that
watches for silence, one on a number that lines carry, and one with a sweep of twelve settings.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.dice import ROW, Dice
from bench.generate import KINDS, START_MS
from bench.measure import OUT, Plan, Row, verdict
from bench.shapes import HOSTS
from tailrace.alerts.backtest.run import Backtest
from tailrace.alerts.model import Group, Rule
from tailrace.batch import Batch, stream_text
from tailrace.engines.polars import PolarsEngine
from tailrace.store.compact import compact
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tailrace.alerts.backtest.run import Report
    from tailrace.alerts.backtest.variants import Knob

DAYS: Final = 30
START_NS: Final = START_MS * 10**6
DAY_NS: Final = 86_400 * 10**9
SERVICES: Final = ("cart", "search", "payment", "login")
MINUTE_NS: Final = 60 * 10**9
MOST_S: Final = 10.0
PIECES: Final = 4


@dataclass(frozen=True, slots=True)
class Case:
    """A rule to test, and what of it is tried."""

    what: str
    expr: str
    sweeps: Mapping[Knob, tuple[float, ...]] = field(default_factory=dict)


CASES: Final = (
    Case("a word, by service", 'sum by (service) (count_over_time({app="shop"} |= "timed out" [5m])) > 6'),
    Case(
        "a level, by host and service",
        'sum by (host, service) (count_over_time({app="shop"} | detected_level="error" [5m])) > 3',
    ),
    Case("silence", 'sum by (service) (rate({app="shop"}[5m])) < 0.6'),
    Case("a mean of a number", 'avg by (service) (avg_over_time({app="shop"} | unwrap duration_ms [5m])) > 46'),
    Case(
        "a word, with a sweep of twelve settings",
        'sum by (service) (count_over_time({app="shop"} |= "timed out" [5m])) > 6',
        {"threshold": (4, 6, 8, 10), "for": (0, MINUTE_NS, 5 * MINUTE_NS)},
    ),
)  # fmt: skip


def measure(plan: Plan) -> list[Row]:
    table = fill(OUT / f"backtest-{plan.rows}-{plan.seed}", plan.rows, plan.seed)
    return [_measured(table, case, plan) for case in CASES]


def _measured(table: LogTable, case: Case, plan: Plan) -> Row:
    """Measure one rule; each time with caches of the table's own, so that nothing is remembered from before."""
    found = min((_tested(LogTable.open(table.root.parent), case) for _ in range(plan.repeat)), key=_seconds)
    fired = len(found.replay.incidents)
    note = f"{fired:,} incidents in 30 days" + (f", {len(found.variants)} settings" if found.variants else "")
    return Row("backtest", case.what, found.seconds, plan.rows, verdict=verdict(found.seconds <= MOST_S), note=note)


def _tested(table: LogTable, case: Case) -> Report:
    rule = Rule("bench", case.expr, "Bench")
    test = Backtest(table, PolarsEngine(), lambda templates, *_: dict(templates))
    span = (START_NS + MINUTE_NS, START_NS + DAYS * DAY_NS)
    return test(rule, Group("bench", "bench", MINUTE_NS, (rule,)), *span, sweeps=case.sweeps)


def _seconds(report: Report) -> float:
    return report.seconds


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
