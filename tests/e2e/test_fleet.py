"""Agents, two servers, one table on S3, and everything that goes wrong in between: every line once, in order per file.

`make torture` runs it with 20 agents, 100 files each, for five minutes (`TAILRACE_FLEET_*`).
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from e2e.fleet import Fleet, check
from e2e.program import until
from s3 import serving

if TYPE_CHECKING:
    from pathlib import Path

AGENTS = int(os.environ.get("TAILRACE_FLEET_AGENTS", "4"))
FILES = int(os.environ.get("TAILRACE_FLEET_FILES", "10"))
SECONDS = float(os.environ.get("TAILRACE_FLEET_SECONDS", "20"))
SEED = int(os.environ.get("TAILRACE_FLEET_SEED", "0")) or random.randrange(1, 1 << 30)
ARRIVE_S = 120 + 2 * SECONDS


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(900 + 4 * SECONDS)
def test_a_fleet_that_is_killed_and_cut_loses_and_doubles_nothing(tmp_path: Path) -> None:
    with serving() as storage:
        fleet = Fleet(tmp_path, storage.bucket("fleet"), random.Random(SEED), AGENTS, FILES)
        try:
            fleet.start()
            fleet.live(SECONDS)
            until(fleet.complete, ARRIVE_S, f"all lines in the table (TAILRACE_FLEET_SEED={SEED})", every_s=1)
            for agent in fleet.agents:
                assert agent.stop() == 0, agent.said()[-3000:]
            check(fleet.rows(), fleet.written)
            for server in fleet.servers:
                assert server.stop() == 0, server.said()[-3000:]
        except BaseException:
            print(f"TAILRACE_FLEET_SEED={SEED}")  # noqa: T201  a test that fails says how to make it fail again
            raise
        finally:
            fleet.close()
