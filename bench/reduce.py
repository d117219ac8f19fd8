"""Reduce: what rules and steps cost. The ratio is their time to that of parsing the same turns, just before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.inputs import generated
from bench.measure import Plan, Row, Timer
from bench.parse import blocks
from tailrace.parse.chain import Chain
from tailrace.reduce.pipeline import Pipeline
from tailrace.reduce.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Final = 0.1
"""Share of the parser's time that a simple step may take."""

_COUNT: Final = {"name": "hits_total", "type": "counter", "help": "Hits."}

_QUANTILE: Final = {"p99": "quantile(duration_ms, 0.99)"}

STEPS: Final[Mapping[str, Mapping[str, object]]] = {
    "drop by a number and a prefix": {
        "steps": [{"type": "drop", "where": "status >= 500 and http_path like '/api/%'"}],
    },
    "sample, each row for itself": {"steps": [{"type": "sample", "rate": 10}]},
    "sample by key": {"steps": [{"type": "sample", "rate": 10, "key": ["http_path"]}]},
    "count by two fields, in windows": {
        "steps": [
            {
                "type": "aggregate",
                "window_s": 60,
                "by": ["status", "http_method"],
                "fields": {"n": "count"},
                "pass_rows": True,
            }
        ]
    },
    "metric by two fields": {"metrics": [{**_COUNT, "labels": {"status": "status", "method": "http_method"}}]},
}
"""What a user may switch on without a thought: held to `MOST`."""

DEAR: Final[Mapping[str, Mapping[str, object]]] = {
    "throttle by key": {"steps": [{"type": "throttle", "rate_per_s": 100, "key": ["http_path"]}]},
    "dedupe by key": {"steps": [{"type": "dedupe", "key": ["http_path", "status"], "emit": "at_once"}]},
    "quantiles by status": {
        "steps": [
            {"type": "aggregate", "window_s": 60, "by": ["status"], "fields": {"p": "quantile(duration_ms, 0.99)"}}
        ]
    },
    "redact secrets": {"steps": [{"type": "redact"}]},
}
"""What says more: measured, not held."""


def measure(plan: Plan) -> list[Row]:
    path = generated("json", plan.parse_bytes // 400, plan.seed)
    every = {**STEPS, **DEAR}
    pipelines = {name: Pipeline(Spec.model_validate(spec)) for name, spec in every.items()}
    parse_s: list[float] = []
    steps_s: dict[str, list[float]] = {name: [] for name in every}
    chain = Chain()
    lines = 0
    for number, turn in enumerate(blocks(path)):
        with Timer() as timer:
            parsed = chain.parse(turn)
        if not number:  # the first turn detects the format and warms up
            continue
        lines = parsed.lines
        parse_s.append(timer.seconds / parsed.lines)
        for name, pipeline in pipelines.items():
            with Timer() as timer:
                pipeline.reduce(parsed.frame, 0)
                pipeline.mark()
                pipeline.edition()()
            steps_s[name].append(timer.seconds / parsed.lines)
    return [_row(name, min(steps_s[name]) * lines, min(parse_s) * lines, lines) for name in every]


def _row(name: str, seconds: float, parse_s: float, lines: int) -> Row:
    ratio = seconds / parse_s
    verdict = ("ok" if ratio <= MOST else f"over {MOST}") if name in STEPS else ""
    return Row("reduce", name, seconds, lines=lines, ratio=ratio, verdict=verdict, note="ratio to parsing JSON")
