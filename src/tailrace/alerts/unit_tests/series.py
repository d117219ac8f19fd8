"""The series that queries of a test may name: what its rules recorded, and those that the test gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import stream_text
from tailrace.query.named import NAME, SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.unit_tests.settings import InputSeries
    from tailrace.query.named import Recorded


class NamedSeries:
    """Implements `query.named.Recorded`; the numbers that are given stand `step_ns` apart."""

    def __init__(self, recorded: Recorded, given: Sequence[InputSeries], start_ns: int, step_ns: int) -> None:
        self._recorded = recorded
        rows = [
            {
                "name": series.series.get(NAME, ""),
                "key": stream_text(series.series),
                "_time_ns": start_ns + number * step_ns,
                "value": None if value == "stale" else value,
                "stale": value == "stale",
            }
            for series in given
            for number, value in enumerate(series.values)
            if value != "_"
        ]
        self._given = pl.DataFrame(rows, schema={"name": pl.String(), **SAMPLES})

    def samples(self, name: str, start_ns: int, end_ns: int) -> pl.DataFrame:
        """Return the samples of a name in a span of time."""
        mine = (pl.col("name") == name) & (pl.col("_time_ns") >= start_ns) & (pl.col("_time_ns") < end_ns)
        found = self._recorded.samples(name, start_ns, end_ns)
        return pl.concat([found.select(*SAMPLES), self._given.filter(mine).select(*SAMPLES)])
