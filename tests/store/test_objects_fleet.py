"""Several programs on one table in object storage, killed at random: nothing is lost or doubled.

`tests/torture/test_objects.py` does the same for longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s3 import serving
from store.fleet import play

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_two_writers_and_a_keeper_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        bucket = server.bucket("fleet")
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        play(tmp_path, f"{bucket.url}/t", writers=2, commits=25, kills=5, seed=1)
