"""`collect` killed at random moments and run again until it is done: nothing lost, nothing doubled, the table opens.

The kills fall into everything that an import does: starting, reading, committing, writing its checkpoint. What each
single write, rename and fsync of a commit leaves behind is the store's own test with injected faults.
"""

from __future__ import annotations

import os
import random
import subprocess
from typing import TYPE_CHECKING

import pytest

from e2e.answers import faults
from e2e.program import COMMAND, STOP_S, answered, rows_of
from e2e.writers import Writer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

SPAN = ("--since", "2h", "--limit", 0, "--direction", "forward")


def _collect(data: Path, file: Path, kill_after_s: float | None) -> int | None:
    """Run one import; return its exit code, or None if it was killed first."""
    words = [*COMMAND, "collect", str(file), "--data", str(data)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            said, _ = process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_S)
            return None
        assert process.returncode == 0, said.decode()[-4000:]
        return process.returncode


def _rows(data: Path) -> list[dict]:
    return rows_of(answered("query", "--data", data, '{filename=~".+"}', "--output", "jsonl", *SPAN))


@pytest.mark.parametrize("shape", ["json", "timestamped"])
def test_an_import_that_is_killed_and_repeated_is_whole(shape: str, tmp_path: Path) -> None:
    seed = int(os.environ.get("TAILRACE_SEED") or random.SystemRandom().randrange(1 << 32))
    chance = random.Random(seed)
    data = tmp_path / "data"
    writer = Writer(tmp_path / f"{shape}.log", shape, 60_000, seed)
    writer.start()
    writer.allow(writer.lines)
    writer.join(60)
    try:
        kills = sum(_collect(data, writer.path, chance.uniform(0.3, 2.5)) is None for _ in range(8))
        assert _collect(data, writer.path, 120.0) == 0
        rows = _rows(data)
        assert not (wrong := faults(rows, [writer])), "\n".join([f"after {kills} kills", *wrong[:10], *wrong[-10:]])
        assert _collect(data, writer.path, 120.0) == 0
        assert len(_rows(data)) == writer.lines, "an import that is repeated imports nothing"
        answered("table", "verify", "--data", data)
    except BaseException as failure:
        failure.add_note(f"repeat it with TAILRACE_SEED={seed}")
        raise
