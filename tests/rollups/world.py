"""A data folder with logs and metrics, whose lines arrive, are deleted, retire and are compacted as a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import Batch
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.engines.polars import PolarsEngine
from tailrace.query.result import Series
from tailrace.query.run import Request, run
from tailrace.rollups.definitions import Definitions
from tailrace.rollups.keeper import RollupKeeper
from tailrace.rollups.reading import Rollups
from tailrace.rollups.table import RollupTable
from tailrace.store.compact import compact
from tailrace.store.delete import delete
from tailrace.store.replace import replace
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.files import Files

NS = 1_000_000_000
START_NS = 1_700_000_040 * NS  # a whole minute


class World:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.logs = LogTable.open(data, create=True)
        self.clock = ManualClock(START_NS)
        self.control = Control.open(data)
        self.definitions = Definitions(self.control)
        self.offset = 0
        self.restart()

    def restart(self, files: Files | None = None) -> None:
        """Begin with new objects, as a new process does."""
        self.table = RollupTable(self.data, files)
        self.keeper = RollupKeeper(self.table, self.logs, PolarsEngine(), self.definitions, self.clock, Accounts())
        self.kept = Rollups(self.table, self.logs, self.definitions, self.clock)

    def close(self) -> None:
        self.control.close()

    def metric(self, name: str, expr: str, **more: object) -> None:
        self.definitions.create(name, expr, now_ns=self.clock.now_ns(), backfill_ns=None, **more)
        self.clock.advance(2)

    def lines(self, *rows: tuple[float, str, float | None]) -> None:
        """Commit lines: seconds after the start, host, and a value."""
        frame = pl.DataFrame(
            {
                "_time_ns": [START_NS + round(at * NS) for at, _, _ in rows],
                "_observed_ns": [START_NS + round(at * NS) for at, _, _ in rows],
                "_stream": [f'{{host="{host}"}}' for _, host, _ in rows],
                "_line": [f"line {host}" for _, host, _ in rows],
                "_offset": [self.offset + number for number in range(len(rows))],
                "took": [value for _, _, value in rows],
            },
            schema_overrides={"took": pl.Float64},
        )
        self.offset += len(rows)
        self.logs.commit([Batch(frame, "test", len(rows), 10 * len(rows))])
        self.logs.sync()

    def delete(self, host: str, first: float, until: float) -> int:
        """Delete on request."""
        start_ns, end_ns = START_NS + round(first * NS), START_NS + round(until * NS)
        return delete(self.logs, streams=[f'{{host="{host}"}}'], start_ns=start_ns, end_ns=end_ns, dry_run=False).rows

    def retire(self, count: int) -> list[int]:
        """Drop the oldest files, as retention does, and return the offsets of their lines."""
        oldest = self.logs.snapshot().files.sort("max_time_ns").head(count)
        if not oldest.height:
            return []
        paths = oldest["path"].to_list()
        offsets = [at for path in paths for at in pl.read_parquet(path, columns=["_offset"])["_offset"]]
        assert replace(self.logs, oldest, [], data_change=True, why="retention")
        return offsets

    def compact(self) -> None:
        compact(self.logs, everything=True)

    def ask(self, expr: str, *, first: float, last: float, step: float | None = 60, kept: bool = True) -> Series:
        request = Request(
            expr,
            START_NS + round(first * NS),
            START_NS + round(last * NS),
            None if step is None else round(step * NS),
            aligned=False,
        )
        found = run(request, self.logs, PolarsEngine(), self.kept if kept else None)
        assert isinstance(found, Series)
        return found


def values(series: Series) -> dict[tuple[str, ...], dict[int, float]]:
    """Return the values by labels, then seconds after the start."""
    found: dict[tuple[str, ...], dict[int, float]] = {}
    for number, time_ns, value in series.frame.iter_rows():
        labels = tuple(f"{name}={text}" for name, text in sorted(series.labels[number].items()))
        found.setdefault(labels, {})[(time_ns - START_NS) // NS] = value
    return found
