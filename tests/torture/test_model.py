"""T104: runs of `machine.Storm`; 1,800 of them in CI, always the same; others each time with `make torture`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from torture.machine import Storm

SEEDS = (0, 1, 2, 3, 5, 6, 7, 8, 9)
EACH = 200
RUNS = int(os.environ.get("TAILRACE_STORMS", "0"))
STEPS = 30 if RUNS else 14


@pytest.mark.slow
@pytest.mark.parametrize("part", SEEDS)
def test_a_storm_loses_and_repeats_nothing(part: int) -> None:
    """A failure prints the rules that lead to it, as lines that can be called one after the other."""
    storm = type(f"Storm{part}", (Storm,), {})
    runs = settings(
        max_examples=RUNS // len(SEEDS) if RUNS else EACH,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(storm if RUNS else seed(part)(storm), settings=runs)
