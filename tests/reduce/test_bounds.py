"""What steps remember stays under its bound, with a million different keys."""

from __future__ import annotations

import json

import polars as pl
import pytest

from reduce.frames import NOW, T0, merge, pipeline

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
