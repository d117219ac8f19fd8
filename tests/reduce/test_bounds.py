"""What steps remember stays under its bound, with a million different keys."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from reduce.frames import NOW, T0, merge, pipeline
from tailrace.reduce.traceleft.document import Document
from tailrace.reduce.traceleft.reduction import TraceReduction

KEYS = 1_000_000
TURN = 100_000
BOUND = 1_000

SPECS = {
    "throttle": f"steps: [{{type: throttle, rate_per_s: 1, key: [user], max_keys: {BOUND}, summary_s: 5}}]",
    "dedupe": f"steps: [{{type: dedupe, key: [user], max_keys: {BOUND}, window_s: 5}}]",
    "aggregate": f"""
steps:
  - type: aggregate
    window_s: 5
    by: [user]
    max_keys: {BOUND}
    fields: {{n: count, top: "topk(user, 3)", users: distinct(user), p: "quantile(_offset, 0.5)"}}
""",
}


def turns():
    """Yield a million rows with a key each, in twenty seconds of event time."""
    for first in range(0, KEYS, TURN):
        number = pl.int_range(first, first + TURN, eager=True)
        yield pl.DataFrame(
            {
                "_time_ns": T0 + number * 20_000,
                "_observed_ns": pl.repeat(NOW, TURN, dtype=pl.Int64, eager=True),
                "_stream": pl.repeat('{app="web"}', TURN, eager=True),
                "_line": pl.repeat("x", TURN, eager=True),
                "_offset": number,
                "user": "user " + number.cast(pl.String),
                "_in_lines": pl.repeat(1, TURN, dtype=pl.Int64, eager=True),
                "_in_bytes": pl.repeat(2, TURN, dtype=pl.Int64, eager=True),
            }
        )


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_million_keys(spec: str) -> None:
    made = pipeline(spec)
    state: dict[str, object] = {}
    largest = lines = 0
    for turn in turns():
        reduced = made.reduce(turn, NOW)
        lines += sum(count for _, count, _ in reduced.dropped) + int(reduced.frame["_in_lines"].sum())
        merge(state, made.mark())
        largest = max(largest, len(state))
    assert lines == KEYS
    assert largest <= 4 * (BOUND + 2)  # the windows, or epochs, that are open at once
    assert len(json.dumps(state)) < 4_000_000


ROOM_KIB = 64 * 1024
"""How much more memory 800,000 further keys may take than the first 200,000 did: what frames of a turn leave behind."""

AGGREGATION = {
    "channels": [{"id": "1", "type": "file", "path": "/dev/null"}],
    "events": [
        {
            "name": "open", "channel": "1", "function": {"id": "sigma", "parameters": f"frequency=2;max_keys={BOUND}"},
            "output": {"metrics": "topk", "parameters": "field=arg1;window=86400"},
        }
    ],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*SPECS, "metric", "sigma"])
def test_a_million_keys_take_no_more_memory_than_a_few(kind: str) -> None:
    words = [sys.executable, "-c", f"from reduce.test_bounds import grow; print(grow({kind!r}))"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < ROOM_KIB


def grow(kind: str) -> int:
    """Return by how many KiB the most memory that was ever in use grew after the first keys."""
    import resource

    def most() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    reduction = made(kind)
    state: dict[str, object] = {}
    begun = 0
    for number, turn in enumerate(turns()):
        rows = turn.with_columns(name=pl.lit("open"), filename="user", pid=1, ret=0) if kind == "sigma" else turn
        reduction.reduce(rows, NOW)
        merge(state, reduction.mark())
        reduction.edition()()
        if number == KEYS // TURN // 5:
            begun = most()
    return most() - begun


def made(kind: str):
    if kind == "sigma":
        document = Document.model_validate(AGGREGATION)
        return TraceReduction(document, {})
    counted = f"metrics: [{{name: x_total, type: counter, help: X., labels: {{user: user}}, max_series: {BOUND}}}]"
    return pipeline(SPECS.get(kind, counted))
