"""Query: questions over many rows through HTTP, each beside the same question written by hand in Polars.

Both read the same segment files, warm, turn by turn; the hand-written ones know the files, the columns and the answer's
shape, and nothing of streams, of the language or of HTTP. A question holds if the fastest of its answers takes at most
1.5 times as long as the fastest hand-written one and 20 ms; a needle, thanks to the skip index, a tenth. Answers are
compared before anything is timed. Then: lines that were stored as they came, parsed by the query; and the time from the
start of the program to its first answer.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from bench.generate import START_MS, STEP_MS, chunks
from bench.imports import collect
from bench.inputs import generated
from bench.live import ask, fresh, running
from bench.measure import OUT, Plan, Row, run, verdict
from tailrace.batch import Batch
from tailrace.store.compact import compact
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FACTOR: Final = 1.5
GRACE_S: Final = 0.020
NEEDLE: Final = 0.1
COLD_S: Final = 2.0
RAW_RATE: Final = 1_000_000
MINUTE_NS: Final = 60 * 10**9
START_NS: Final = START_MS * 10**6
ALL: Final = '{filename=~".+"}'
WORD: Final = "deadlock"
PATTERN: Final = "timed? ?out|took [0-9]{3,} ms"

Data = dict[str, Any]  # of an answer of Loki's API


@dataclass(frozen=True, slots=True)
class Question:
    """A query and its hand-written twin over the lazy rows of all segments; both give one comparable value."""

    what: str
    query: str
    answer: Callable[[Data], object]
    by_hand: Callable[[pl.LazyFrame], pl.LazyFrame]
    hand_answer: Callable[[pl.DataFrame], object]
    parameters: dict[str, object] = field(default_factory=dict)  # of a question over a range, else it is for one moment
    bound: Callable[[float], float] = lambda hand_s: FACTOR * hand_s + GRACE_S


def _value(data: Data) -> object:
    return sum(int(one["value"][1]) for one in data["result"])


def _histogram(data: Data) -> object:
    """Return (level, minute) to count; a sample at T counts the lines after T - 1 m."""
    return {
        (None if one["metric"]["detected_level"] == "unknown" else one["metric"]["detected_level"], at // 60 - 1): int(
            n
        )
        for one in data["result"]
        for at, n in one["values"]
        if int(n)
    }


def _by(label: str) -> Callable[[Data], object]:
    return lambda data: {one["metric"][label]: round(float(one["value"][1]), 6) for one in data["result"]}


def _rounded(frame: pl.DataFrame) -> object:
    return {str(label): round(float(value), 6) for label, value in frame.rows()}


def _times(data: Data) -> object:
    return sorted(int(at) for one in data["result"] for at, *_ in one["values"])


def _hand_times(frame: pl.DataFrame) -> object:
    return frame["_time_ns"].sort().to_list()


def _only(frame: pl.DataFrame) -> object:
    return int(frame.item())


def _count(what: str, filters: str, span: str, condition: pl.Expr) -> Question:
    """Return the question how many lines pass."""
    query = f"sum(count_over_time({ALL} {filters} {span}))"
    return Question(what, query, _value, lambda rows: rows.filter(condition).select(pl.len()), _only)


def questions(range_s: int, needle: str) -> list[Question]:
    """Return the questions over a table whose rows span so many seconds, one of them with that trace id."""
    span = f"[{range_s}s]"
    line, took = pl.col("_line"), pl.col("duration_ms")
    whole = {"start": START_NS, "end": START_NS + range_s * 10**9 // MINUTE_NS * MINUTE_NS}
    return [
        Question(
            "count", f"sum(count_over_time({ALL}{span}))", _value, lambda rows: rows.select(pl.len()), _only
        ),
        Question(
            "histogram by level per minute",
            f"sum by (detected_level) (count_over_time({ALL}[1m]))",
            _histogram,
            lambda rows: rows.group_by("_level", minute=(pl.col("_time_ns") - 1) // MINUTE_NS).agg(count=pl.len()),
            lambda frame: {(level, minute): count for level, minute, count in frame.rows()},
            {**whole, "step": "1m"},
        ),
        _count("count of status >= 500", "| status >= 500", span, pl.col("status") >= 500),
        Question(
            "last 100 of status >= 500",
            f"{ALL} | status >= 500",
            _times,
            lambda rows: rows.filter(pl.col("status") >= 500).top_k(100, by="_time_ns"),
            _hand_times,
            {**whole, "limit": 100},
        ),
        _count("count of lines that contain a word", f'|= "{WORD}"', span, line.str.contains(WORD, literal=True)),
        _count("count of lines that match a regex", f"|~ `{PATTERN}`", span, line.str.contains(PATTERN)),
        Question(
            "mean of duration_ms by service",
            f"avg_over_time({ALL} | unwrap duration_ms {span}) by (service)",
            _by("service"),
            lambda rows: rows.drop_nulls("duration_ms").group_by("service").agg(took.mean()),
            _rounded,
        ),
        Question(
            "99th percentile of duration_ms by service",
            f"quantile_over_time(0.99, {ALL} | unwrap duration_ms {span}) by (service)",
            _by("service"),
            lambda rows: rows.drop_nulls("duration_ms").group_by("service").agg(took.quantile(0.99, "linear")),
            _rounded,
        ),
        Question(
            "ten most frequent of 100,000 users",
            f"topk(10, sum by (user_id) (count_over_time({ALL}{span})))",
            _by("user_id"),
            lambda rows: rows.group_by("user_id").len().top_k(10, by="len"),
            _rounded,
        ),
        Question(
            "needle: the lines of one trace id",
            f'{ALL} | trace_id="{needle}"',
            _times,
            lambda rows: rows.filter(pl.col("trace_id") == needle),
            _hand_times,
            {**whole, "limit": 100},
            lambda hand_s: NEEDLE * hand_s,
        ),
    ]  # fmt: skip


def measure(plan: Plan) -> list[Row]:
    path = generated("json", plan.rows, plan.seed)
    data = OUT / "query"
    imported = collect(path, data)
    size = path.stat().st_size
    compacted = run("-m", "tailrace", "table", "compact", "--data", data)
    rows = [
        Row("query", "import before it", imported.seconds, plan.rows, size, imported.cpu_s, imported.peak_mib),
        Row("query", "compaction before it", compacted.seconds, plan.rows, size, compacted.cpu_s, compacted.peak_mib),
        *asked(data, plan),
        *raw(plan),
    ]
    shutil.rmtree(data)
    return rows


def asked(data: Path, plan: Plan) -> list[Row]:
    """Ask all questions of a table of generated rows, and how long the first answer takes after a start."""
    paths = LogTable.open(data).snapshot().files["path"].to_list()
    traces = pl.scan_parquet(paths, hive_partitioning=False, missing_columns="insert").select("trace_id").drop_nulls()
    needle = str(traces.slice(plan.rows // 5, 1).collect().item())
    range_s = plan.rows * STEP_MS // 1000 + 180
    began = time.perf_counter()
    with running(fresh(OUT / "nothing"), data) as (url, _):
        every = questions(range_s, needle)
        _ask(url, every[0], range_s)
        cold_s = time.perf_counter() - began
        rows = [_measured(question, plan, url, range_s, paths) for question in every]
    note = "start of the program, with a table of these rows, to its first answer"
    return [*rows, Row("query", "first answer", cold_s, plan.rows, verdict=verdict(cold_s <= COLD_S), note=note)]


def _ask(url: str, question: Question, range_s: int) -> Data:
    if question.parameters:
        return ask(url, "/loki/api/v1/query_range", query=question.query, **question.parameters)
    return ask(url, "/loki/api/v1/query", query=question.query, time=START_NS + range_s * 10**9)


def _measured(question: Question, plan: Plan, url: str, range_s: int, paths: list[str]) -> Row:
    def by_hand() -> pl.DataFrame:
        rows = pl.scan_parquet(paths, hive_partitioning=False, missing_columns="insert")
        return question.by_hand(rows).collect(engine="streaming")

    # what is compared is the same answer; the first run warms both up
    mine, theirs = question.answer(_ask(url, question, range_s)), question.hand_answer(by_hand())
    assert mine == theirs, f"{question.what}: {str(mine)[:500]} is not {str(theirs)[:500]}"
    taken: dict[str, list[float]] = {"ours": [], "hand": []}
    for _ in range(plan.repeat):
        for name, answer in (("ours", lambda: _ask(url, question, range_s)), ("hand", by_hand)):
            began = time.perf_counter()
            answer()
            taken[name].append(time.perf_counter() - began)
    seconds, hand_s = min(taken["ours"]), min(taken["hand"])
    held = verdict(seconds <= question.bound(hand_s))
    note = f"{seconds * 1000:.0f} ms, by hand {hand_s * 1000:.0f} ms"
    return Row("query", question.what, seconds, lines=plan.rows, ratio=seconds / hand_s, verdict=held, note=note)


def raw(plan: Plan) -> list[Row]:
    """Ask for labels of lines that were stored as they came, as pushed ones are."""
    rows = []
    for kind in ("json", "logfmt"):
        lines = plan.rows // 5
        data = fresh(OUT / "raw")
        _store(data, kind, lines, plan.seed)
        with running(fresh(OUT / "nothing"), data) as (url, _):
            for what, query in (
                (f"count by one label of raw lines, | {kind}", 'sum by (level) (count_over_time({app="a"} | %s [9d]))'),
                (
                    f"count of a value in raw lines, | {kind}",
                    'sum(count_over_time({app="a"} | %s | level="error" [9d]))',
                ),
            ):
                taken = []
                for _ in range(plan.repeat):
                    began = time.perf_counter()
                    ask(url, "/loki/api/v1/query", query=query % kind, time=START_NS + 8 * 86_400 * 10**9)
                    taken.append(time.perf_counter() - began)
                held = verdict(lines / min(taken) >= RAW_RATE)
                rows.append(Row("query", what, min(taken), lines, verdict=held))
        shutil.rmtree(data)
    return rows


def _store(data: Path, kind: str, lines: int, seed: int) -> None:
    table = LogTable.open(data, create=True)
    first = 0
    for chunk in chunks(kind, lines, seed):
        texts = pl.Series("_line", chunk.decode().splitlines())
        times = pl.int_range(first, first + len(texts), eager=True) * (STEP_MS * 10**6) + START_NS
        frame = texts.to_frame().with_columns(_time_ns=times, _observed_ns=times, _stream=pl.lit('{app="a"}'))
        table.commit([Batch(frame, "bench", len(texts), len(chunk))])
        first += len(texts)
    compact(table, everything=True)
