"""T104: runs of `machine.Storm`; 2,000 of them in CI, spread over workers, more with `make torture`."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from torture.machine import Storm

PARTS = 8
RUNS = int(os.environ.get("TAILRACE_STORMS", "2000"))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_storm_loses_and_repeats_nothing(part: int) -> None:
    runs = settings(
        max_examples=RUNS // PARTS,
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Storm, settings=runs)
