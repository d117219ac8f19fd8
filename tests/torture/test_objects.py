"""Writers and a keeper on one table in object storage, killed at random for as long as is asked for.

`TAILRACE_OBJECTS_WRITERS`, `TAILRACE_OBJECTS_COMMITS` and `TAILRACE_OBJECTS_KILLS` say how much, `TAILRACE_SEED` which.
"""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING

import pytest

from s3 import serving
from store import fleet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_writers_and_a_keeper_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writers, commits, kills = (
        int(os.environ.get(f"TAILRACE_OBJECTS_{name}", usual))
        for name, usual in (("WRITERS", "3"), ("COMMITS", "60"), ("KILLS", "15"))
    )
    seed = int(os.environ.get("TAILRACE_SEED") or random.randrange(10**6))
    sys.stdout.write(f"TAILRACE_SEED={seed}\n")  # shown if it fails: plays the same kills again
    monkeypatch.setattr(fleet, "DEADLINE_S", 240 + 20 * kills + 10 * commits)
    with serving() as server:
        bucket = server.bucket("torture")
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        fleet.play(tmp_path, f"{bucket.url}/t", writers=writers, commits=commits, kills=kills, seed=seed)
