"""Metrics as the page lists them: how each is kept, its newest values, who reads it. Knows no HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final  # Any: rules are JSON
from urllib.parse import quote

import polars as pl

from tailrace.clock import NS_PER_S
from tailrace.errors import TailraceError, one_line
from tailrace.query.result import Series
from tailrace.query.run import Request, run
from tailrace.web.explorer.metrics.readers import readers_of, readers_of_series
from tailrace.web.explorer.shapes.curves import Chart, chart
from tailrace.web.explorer.shapes.spark import Spark, spark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tailrace.rollups.metrics import Health, Metrics
    from tailrace.rollups.model import Metric
    from tailrace.web.services import Services

SPARK_PERIODS: Final = 40
CHART_PERIODS: Final = 100
RECORDED_NS: Final = 3_600 * NS_PER_S
"""How far back the newest values of recorded series are looked for."""

Query = tuple[str, str, str]  # who asks: name, address, query


@dataclass(slots=True)
class Listed:
    """One line of the list."""

    metric: Metric
    health: Health | None = None
    spark: Spark = field(default_factory=Spark)
    series: int = 0
    newest: float | None = None  # of all series together, if there are several
    readers: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""


@dataclass(slots=True)
class Recorded:
    """A series that a rule records."""

    name: str
    rule: dict[str, Any]  # as Prometheus has it
    group: str
    spark: Spark = field(default_factory=Spark)
    series: int = 0
    newest: float | None = None
    readers: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""


def listed(metrics: Metrics, metric: Metric, queries: Sequence[Query]) -> Listed:
    """Return a metric with its health and its newest values; what cannot be had is in `error`."""
    found = Listed(metric, readers=readers_of(metric, queries))
    try:
        found.health = metrics.health(metric)
        end_ns = metrics.over_ns(metric)
        start_ns = end_ns - (SPARK_PERIODS - 1) * metric.period_ns
        answer = metrics.values(metric, start_ns, end_ns)
        points = _together(answer)
        found.spark = spark(points, start_ns, end_ns, metric.period_ns)
        found.series, found.newest = len(answer.labels), points[-1][1] if points else None
    except TailraceError as error:
        found.error = one_line(error)
    return found


def recording_rules(services: Services) -> list[Recorded]:
    """Return the rules that record series, by the name of what they record."""
    found = [
        Recorded(rule["name"], rule, group["name"])
        for group in services.rules.groups()
        for rule in group["rules"]
        if rule["type"] == "recording"
    ]
    return sorted(found, key=lambda one: (one.name, one.group))


def with_values(recorded: Recorded, services: Services, queries: Sequence[Query]) -> Recorded:
    """Fill in the newest values of a recorded series, and who reads it."""
    end_ns = services.clock.now_ns()
    start_ns = end_ns - RECORDED_NS
    recorded.readers = readers_of_series(recorded.name, queries)
    try:
        rows = services.recordings.samples(recorded.name, start_ns, end_ns).filter(~pl.col("stale"))
    except TailraceError as error:
        recorded.error = one_line(error)
        return recorded
    sums = rows.group_by("_time_ns").agg(pl.col("value").sum()).sort("_time_ns")
    points = list(sums.iter_rows())
    recorded.spark, recorded.series = spark(points, start_ns, end_ns), rows["key"].n_unique()
    recorded.newest = points[-1][1] if points else None
    return recorded


def drawn(metrics: Metrics, metric: Metric, start_ns: int | None, end_ns: int | None) -> tuple[Series, Chart, int, int]:
    """Return the values of a metric over a range, its newest periods unless told, and their drawing."""
    over_ns = metrics.over_ns(metric)
    end_ns = over_ns if end_ns is None else min(end_ns, over_ns)
    start_ns = end_ns - (CHART_PERIODS - 1) * metric.period_ns if start_ns is None else start_ns
    answer = metrics.values(metric, start_ns, end_ns)
    return answer, chart(answer, start_ns, end_ns, metric.period_ns), start_ns, end_ns


def drawn_series(
    services: Services, name: str, start_ns: int, end_ns: int, step_ns: int, unwanted: Callable[[], bool]
) -> tuple[Series, Chart]:
    """Return the samples of a recorded series on a grid, and their drawing."""
    asked = Request(name, start_ns, end_ns, step_ns, cut=True, cancelled=unwanted)
    answer = run(asked, services.table, services.engine, services.kept, services.recordings)
    assert isinstance(answer, Series), "a name gives numbers"
    return answer, chart(answer, start_ns, end_ns, step_ns)


def queries_of(rules: Iterable[dict[str, Any]], panels: Iterable[Query], most: int) -> list[Query]:
    """Return what rules and panels ask; of more rules than `most` none are looked at."""
    asked = [(rule["name"], f"/alerts/rule/{quote(rule['id'])}", rule["query"]) for rule in rules if rule.get("id")]
    return [*(asked if len(asked) <= most else ()), *panels]


def _together(answer: Series) -> list[tuple[int, float]]:
    """Return the sum of all series at each time, for a line that only shows which way it goes."""
    sums = answer.frame.filter(pl.col("value").is_finite()).group_by("_time_ns").agg(pl.col("value").sum())
    return list(sums.sort("_time_ns").iter_rows())
