"""T104: runs of `machine.Storm`: 2,400 of them in CI, always the same; with `make torture` many more, each time others.

`TAILRACE_STORMS` is the number of runs, `TAILRACE_SEED` repeats those of a failure.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from torture.machine import Storm

SEEDS = (*range(13),)
EACH = 200
RUNS = int(os.environ.get("TAILRACE_STORMS", "0"))
STEPS = 30 if RUNS else 14
CHANCE = random.SystemRandom().randrange(1 << 32) if RUNS else 0


@pytest.mark.slow
@pytest.mark.parametrize("part", SEEDS)
def test_a_storm_loses_and_repeats_nothing(part: int) -> None:
    """A failure prints the rules that lead to it, as lines that can be called one after the other."""
    first = int(os.environ.get("TAILRACE_SEED", CHANCE))
    storm = type(f"Storm{part}", (Storm,), {})
    runs = settings(
        max_examples=-(-RUNS // len(SEEDS)) or EACH,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if RUNS else (Phase.generate,),  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seed(first + part)(storm), settings=runs)
    except BaseException as failure:
        failure.add_note(f"repeat it with TAILRACE_STORMS={RUNS} TAILRACE_SEED={first} and part {part}")
        raise
