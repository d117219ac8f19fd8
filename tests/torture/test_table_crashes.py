"""T61 to T63: table and checkpoint together, killed before and after every file operation that either of them makes.

What must hold: the checkpoint knows exactly what the table has, and when the life goes on every line is there once.
What a power cut leaves of the checkpoint is `test_checkpoint_crashes`, of a commit `tests/store/test_faults.py`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import pytest

from store.faulty import Crash, FaultyFiles
from store.rows import batch, lines
from tailrace.sources.tail import checkpoint as module
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.table import LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tailrace.files import Files

LINES = 4
DROPPED = {2}
"""Line 2 is stored nowhere: its plan has no batch."""


def _live(folder: Path, files: Files | None) -> LogTable:
    """Read what the checkpoint does not know yet, a line a batch, to the last one."""
    table = LogTable.open(folder / "table", create=True, files=files)
    checkpoint = Checkpoint.open(folder / "state", agent_name="a", files=files)
    try:
        checkpoint.recover(table.last_number(checkpoint.agent))
        done = int(str(checkpoint.state.get("files", {}).get("line", 0)))
        stored = [f"line {number}" for number in range(done) if number not in DROPPED]
        assert sorted(lines(table)) == stored, "the checkpoint knows what the table has"
        for number in range(done, LINES):
            marks = {"files": {"line": number + 1}}
            position = checkpoint.plan(marks, batch=number not in DROPPED)
            if number not in DROPPED:
                table.commit([batch([f"line {number}"], position.agent, position.number)])
                table.sync()
            checkpoint.settle(position.number)
        checkpoint.close()
    finally:
        if checkpoint._lock >= 0:
            os.close(checkpoint._lock)
            checkpoint._lock = -1
    return table


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_operation_of_table_and_checkpoint(
    tmp_path: Path, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 300)  # rewrites are among the operations
    for at in count():
        folder = tmp_path / str(at)
        files = FaultyFiles(at, Crash(), after=after)
        with suppress(Crash):
            _live(folder, files)
        table = _live(folder, None)
        assert sorted(lines(table)) == [f"line {number}" for number in range(LINES) if number not in DROPPED], at
        assert verify(table).faults == ()
        if not files.hit:
            assert at > 40, at
            return
