"""The numbers that an expression gave over a span of time, as columns: asked once, replayed as often as wanted.

Comes in: an expression without its threshold, and windows. Goes out: `History`. A few range queries read all of it,
each with as many windows as a query may have. Raises `QueryError` for what cannot be answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stream_text
from tailrace.errors import QueryError
from tailrace.limits import POINTS_LIMIT
from tailrace.query.reads import nobody
from tailrace.query.result import Series
from tailrace.query.run import Request, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tailrace.contracts import Engine, Table
    from tailrace.query.kept import Kept
    from tailrace.query.named import Recorded

TIMEOUT_S: Final = 300.0
"""Seconds that one query of a back-test may take: it reads much, and nobody waits behind it."""


@dataclass(frozen=True)
class History:
    """Samples of an expression at some windows: `_time_ns`, `key` (labels as text) and `value`, in order of time."""

    times: range
    samples: pl.DataFrame
    rows: int = 0  # read for it

    @classmethod
    def read(
        cls,
        table: Table,
        engine: Engine,
        asked: str,
        times: range,
        offset_ns: int = 0,
        cancelled: Callable[[], bool] = nobody,
        recorded: Recorded | None = None,
        kept: Kept | None = None,
    ) -> History:
        """Ask for an expression at windows whose lines lie `offset_ns` further back; `kept` may stand in for lines."""
        frames, rows = list[pl.DataFrame](), 0
        for first in range(0, len(times), POINTS_LIMIT):
            some = times[first : first + POINTS_LIMIT]
            start_ns, end_ns = some[0] - offset_ns, some[-1] - offset_ns
            request = Request(
                asked, start_ns, end_ns, times.step, timeout_s=TIMEOUT_S, aligned=False, cancelled=cancelled
            )
            answer = run(request, table, engine, kept, recorded)
            assert isinstance(answer, Series), "rules are read with numbers only"
            if not answer.complete:
                raise QueryError("; ".join(answer.warnings) or "the answer is not complete")
            frames.append(_with_keys(answer, offset_ns))
            rows += answer.stats.rows
        return cls(times, pl.concat(frames).sort("_time_ns", "key"), rows)

    def at(self, at_ns: int) -> Mapping[str, float]:
        """Return the values at one window, by key."""
        first, count = self._places.get(at_ns, (0, 0))
        some = self.samples.slice(first, count)
        return dict(zip(some["key"].to_list(), some["value"].to_list(), strict=True)) if count else {}

    @cached_property
    def first(self) -> Mapping[str, int]:
        """The first window of each series."""
        return dict(self.samples.group_by("key").agg(pl.col("_time_ns").min()).iter_rows())

    @cached_property
    def _places(self) -> Mapping[int, tuple[int, int]]:
        """Where the samples of each window are."""
        counted = self.samples.group_by("_time_ns", maintain_order=True).agg(count=pl.len())
        placed = counted.with_columns(first=pl.col("count").cum_sum() - pl.col("count"))
        return {at_ns: (first, count) for at_ns, count, first in placed.iter_rows()}


def _with_keys(answer: Series, offset_ns: int) -> pl.DataFrame:
    keys = pl.Series("key", [stream_text(labels) for labels in answer.labels], dtype=pl.String)
    return answer.frame.select(
        pl.col("_time_ns") + offset_ns,
        keys.gather(answer.frame["series"]).alias("key"),
        "value",
    )
