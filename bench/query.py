"""Query: seven questions over many rows, each beside the same question written by hand in Polars.

Both read the same segment files in the same process, warm, turn by turn; the hand-written ones know the files, the
columns and the answer's shape, and nothing of streams or of the language. A question holds if its median is at most 1.5
times the hand-written one's plus 20 ms. Answers are compared before anything is timed.
"""

from __future__ import annotations

import shutil
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from bench.generate import START_MS, STEP_MS
from bench.imports import collect
from bench.inputs import generated
from bench.measure import OUT, Plan, Row, Timer, run, verdict
from tailrace.engines.polars import PolarsEngine
from tailrace.query.result import Series
from tailrace.query.run import Request
from tailrace.query.run import run as ask
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tailrace.query.result import Lines

FACTOR: Final = 1.5
GRACE_S: Final = 0.020
MINUTE_NS: Final = 60 * 10**9
ALL: Final = '{filename=~".+"}'
WORD: Final = "deadlock"


@dataclass(frozen=True, slots=True)
class Question:
    """A query and its hand-written twin over the lazy rows of all segments; both give one comparable value."""

    what: str
    query: str
    step_ns: int | None
    limit: int
    answer: Callable[[Lines | Series], object]
    by_hand: Callable[[pl.LazyFrame], pl.LazyFrame]
    hand_answer: Callable[[pl.DataFrame], object]


def _value(result: Lines | Series) -> object:
    return int(result.frame["value"].sum())


def _histogram(result: Lines | Series) -> object:
    """Return (level, minute) to count; a sample at T counts the lines after T - 1 m."""
    assert isinstance(result, Series)
    levels = [None if labels["detected_level"] == "unknown" else labels["detected_level"] for labels in result.labels]
    frame = result.frame.filter(pl.col("value") > 0)
    rows = frame.select("series", pl.col("_time_ns") // MINUTE_NS - 1, pl.col("value").cast(pl.Int64)).rows()
    return {(levels[series], minute): count for series, minute, count in rows}


def _by_service(result: Lines | Series) -> object:
    assert isinstance(result, Series)
    return {result.labels[series]["service"]: round(value, 6) for series, _, value in result.frame.rows()}


def _rounded(frame: pl.DataFrame) -> object:
    return {service: round(value, 6) for service, value in frame.rows()}


def _times(result: Lines | Series) -> object:
    return result.frame["_time_ns"].to_list()


def _only(frame: pl.DataFrame) -> object:
    return int(frame.item())


def questions(range_s: int) -> list[Question]:
    """Return the questions over a table whose rows span so many seconds."""
    span = f"[{range_s}s]"
    return [
        Question(
            "count", f"sum(count_over_time({ALL}{span}))", None, 0, _value, lambda rows: rows.select(pl.len()), _only
        ),
        Question(
            "histogram by level per minute",
            f"sum by (detected_level) (count_over_time({ALL}[1m]))",
            MINUTE_NS,
            0,
            _histogram,
            lambda rows: rows.group_by("_level", minute=(pl.col("_time_ns") - 1) // MINUTE_NS).agg(count=pl.len()),
            lambda frame: {(level, minute): count for level, minute, count in frame.rows()},
        ),
        Question(
            "count of status >= 500",
            f"sum(count_over_time({ALL} | status >= 500 {span}))",
            None,
            0,
            _value,
            lambda rows: rows.filter(pl.col("status") >= 500).select(pl.len()),
            _only,
        ),
        Question(
            "last 100 of status >= 500",
            f"{ALL} | status >= 500",
            None,
            100,
            _times,
            lambda rows: rows.filter(pl.col("status") >= 500).top_k(100, by="_time_ns"),
            lambda frame: frame["_time_ns"].sort(descending=True).to_list(),
        ),
        Question(
            "count of lines that contain a word",
            f'sum(count_over_time({ALL} |= "{WORD}" {span}))',
            None,
            0,
            _value,
            lambda rows: rows.filter(pl.col("_line").str.contains(WORD, literal=True)).select(pl.len()),
            _only,
        ),
        Question(
            "mean of duration_ms by service",
            f"avg_over_time({ALL} | unwrap duration_ms {span}) by (service)",
            None,
            0,
            _by_service,
            lambda rows: rows.drop_nulls("duration_ms").group_by("service").agg(pl.col("duration_ms").mean()),
            _rounded,
        ),
        Question(
            "99th percentile of duration_ms by service",
            f"quantile_over_time(0.99, {ALL} | unwrap duration_ms {span}) by (service)",
            None,
            0,
            _by_service,
            lambda rows: (
                rows.drop_nulls("duration_ms").group_by("service").agg(pl.col("duration_ms").quantile(0.99, "linear"))
            ),
            _rounded,
        ),
    ]


def measure(plan: Plan) -> list[Row]:
    path = generated("json", plan.rows, plan.seed)
    data = OUT / "query"
    imported = collect(path, data)
    size = path.stat().st_size
    rows = [
        Row("query", "import before it", imported.seconds, plan.rows, size, imported.cpu_s, imported.peak_mib),
    ]
    compacted = run("-m", "tailrace", "table", "compact", "--data", data)
    rows.append(
        Row("query", "compaction before it", compacted.seconds, plan.rows, size, compacted.cpu_s, compacted.peak_mib)
    )
    rows += [_measured(question, plan, data) for question in questions(plan.rows * STEP_MS // 1000 + 180)]
    shutil.rmtree(data)
    return rows


def _measured(question: Question, plan: Plan, data: Path) -> Row:
    table, engine = LogTable.open(data), PolarsEngine()
    start_ns = START_MS * 10**6
    end_ns = (start_ns + plan.rows * STEP_MS * 10**6) // MINUTE_NS * MINUTE_NS + MINUTE_NS
    request = Request(question.query, start_ns, end_ns, question.step_ns, question.limit, "backward", 60.0)
    segments = table.snapshot().segments(start_ns, end_ns)

    def ours() -> Lines | Series:
        return ask(request, table, engine)

    def by_hand() -> pl.DataFrame:
        paths = segments.frame["path"].to_list()
        return question.by_hand(pl.scan_parquet(paths, hive_partitioning=False, missing_columns="insert")).collect(
            engine="streaming"
        )

    # what is compared is the same answer; the first run warms both up
    mine, theirs = question.answer(ours()), question.hand_answer(by_hand())
    assert mine == theirs, f"{question.what}: {str(mine)[:500]} is not {str(theirs)[:500]}"
    taken: dict[str, list[float]] = {"ours": [], "hand": []}
    with Timer() as timer:
        for _ in range(plan.repeat):
            for name, asked in (("ours", ours), ("hand", by_hand)):
                began = time.perf_counter()
                asked()
                taken[name].append(time.perf_counter() - began)
    seconds, hand_s = statistics.median(taken["ours"]), statistics.median(taken["hand"])
    return Row(
        "query",
        question.what,
        seconds,
        lines=plan.rows,
        cpu_s=timer.cpu_s / (2 * plan.repeat),
        ratio=seconds / hand_s,
        verdict=verdict(seconds <= FACTOR * hand_s + GRACE_S),
        note=f"{seconds * 1000:.0f} ms, by hand {hand_s * 1000:.0f} ms",
    )
