"""A log that is rotated at random, and an agent that is stopped and killed in between: every line once and in order.

Each seed is a run of 10 to 40 steps, about 30 ms. The worst ones, which failed once, are named; the others are
there to find the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sources.tail.rotations import KINDS, Storm

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = 40
FAILED_ONCE = {
    # a short log and its compressed file
    ("rename", "*"): [0, 51],
    # unread when it was compressed; a compressed file that is found before its original
    ("rename", "*.log"): [31, 84, 97, 173, 20076],
    # held copies that are compressed, deleted, in a row
    ("copy", "*"): [6, 13, 29, 40, 49, 1069, 1220, 1233],
    # copied and emptied unseen; a copy shorter than what was read
    ("copy", "*.log"): [2, 7, 20, 28, 46, 53, 5083, 20141],
    # births tell the wrong order
    ("mixed", "*"): [3, 26, 83, 123, 1193],
    ("mixed", "*.log"): [11, 16, 22, 33, 113, 148, 2128],
}


@pytest.mark.parametrize(("kind", "pattern"), [(kind, pattern) for kind in KINDS for pattern in ("*", "*.log")])
def test_t11_t104_each_line_comes_once_and_in_order(tmp_path: Path, kind: str, pattern: str) -> None:
    failed: dict[int, str] = {}
    for seed in dict.fromkeys([*FAILED_ONCE[kind, pattern], *range(SEEDS)]):
        folder = tmp_path / str(seed) / "logs"  # not beside each other: their lines are alike
        folder.mkdir(parents=True)
        run = Storm(folder, seed, kind, pattern).go()
        if run.faults:
            failed[seed] = f"{run.faults}: {run.steps}"
    assert failed == {}
