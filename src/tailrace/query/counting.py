"""Count the lines of a log query by labels, in buckets of a range: what a histogram and lists of values are made from.

The same totals that `count_over_time` adds up, before they become series: so there may be many of them, the range is
cut to the nanosecond where the outer buckets are not, and a line that a stage stumbles over counts too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.limits import QUERY_TIMEOUT_S
from tailrace.query import leaf
from tailrace.query.afresh import afresh
from tailrace.query.grid import Cells, Grid
from tailrace.query.needs import Needs
from tailrace.query.parser import parse
from tailrace.query.reads import Reading, nobody
from tailrace.query.result import Stats
from tailrace.query.samples import LABEL
from tailrace.query.stages.line_filter import LineFilter
from tailrace.query.syntax import LogQuery, LogRange, RangeAggregation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.contracts import Engine, Table

BUCKET: Final = "bucket"
LINES: Final = "lines"


@dataclass(frozen=True, slots=True)
class Counting:
    """Which lines are counted, `start_ns <= time < end_ns`, by which labels; `step_ns` None asks for one bucket.

    Buckets begin at multiples of the step, counted from the origin.
    """

    log: LogQuery
    by: tuple[str, ...]
    start_ns: int
    end_ns: int
    step_ns: int | None = None
    origin_ns: int = 0
    timeout_s: float = QUERY_TIMEOUT_S
    cancelled: Callable[[], bool] = nobody

    @property
    def first_ns(self) -> int:
        """Where the first bucket begins."""
        return self.start_ns - (self.start_ns - self.origin_ns) % self.step_ns if self.step_ns else self.start_ns


def counted(asked: Counting, table: Table, engine: Engine) -> tuple[pl.DataFrame, Stats]:
    """Return a column per label (null where a line lacks it), the start of the `bucket`, and `lines`.

    Buckets without lines have no rows.
    """
    step = asked.step_ns or max(asked.end_ns - asked.start_ns, 1)
    points = max(1, -(-(asked.end_ns - asked.first_ns) // step))
    cells = Cells(Grid(asked.first_ns + step - 1, step, points), step, 0, asked.start_ns, asked.end_ns)
    what = RangeAggregation("count_over_time", LogRange(_lenient(asked.log), step))

    def ask() -> tuple[pl.DataFrame | None, Stats]:
        began_s = time.perf_counter()
        reading = Reading(engine, Stats(), asked.timeout_s, asked.cancelled)
        found = leaf.totals(what, Needs(names=frozenset(asked.by)), cells, table.snapshot(), reading)
        reading.finish(time.perf_counter() - began_s)
        return found, reading.stats

    found, stats = afresh(ask)
    if found is None:
        return pl.DataFrame(schema={**dict.fromkeys(asked.by, pl.String), BUCKET: pl.Int64, LINES: pl.Int64}), stats
    at = pl.col("lo") if "lo" in found.columns else pl.lit(0, pl.Int64)
    labels = [
        (pl.col(LABEL + name).replace("", None) if LABEL + name in found.columns else pl.lit(None, pl.String)).alias(
            name
        )
        for name in asked.by
    ]
    named = found.select(*labels, (asked.first_ns + at * step).alias(BUCKET), pl.col(LINES))
    return named.group_by(*asked.by, BUCKET).agg(pl.col(LINES).sum()), stats


def _lenient(log: LogQuery) -> LogQuery:
    """Return the query without the marks of stages that stumbled, which a count would be refused for."""
    if all(isinstance(stage, LineFilter) for stage in log.stages):
        return log
    marked = parse(f"{log} | drop __error__, __error_details__")
    assert isinstance(marked, LogQuery), "a stage behind a log query leaves it one"
    return replace(log, stages=marked.stages)
