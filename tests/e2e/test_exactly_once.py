"""Every line exactly once and in order, whatever happens to the program and to the files (the promise of DESIGN §4).

Several programs write at speed, before, while and after `tailrace up` runs; files are rotated by rename and create and
by copy and truncate; the program is killed at random moments, in its start too, and started again.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from e2e.answers import faults
from e2e.program import START_S, Up, answered, rows_of, until
from e2e.writers import FORMATS, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

EVERYTHING = '{filename=~".+"}'
CATCH_UP_S = 60.0


def _seed() -> int:
    """Return a new seed, or the one of a failure that is to be repeated: `TAILRACE_SEED=… pytest …`."""
    return int(os.environ.get("TAILRACE_SEED") or random.SystemRandom().randrange(1 << 32))


def _writers(folder: Path, lines: int, chance: random.Random) -> list[Writer]:
    """Return one writer per format; three rotations are spread over all but the last, which is copied and truncated."""
    shapes = chance.sample(FORMATS, len(FORMATS))
    each = lines // len(shapes)
    rotating = [chance.randrange(len(shapes) - 1) for _ in range(3)]
    return [
        Writer(
            folder / f"{shape}.log",
            shape,
            each,
            chance.randrange(1 << 32),
            tuple(chance.randrange(1, each) for turn in rotating if turn == place),
        )
        for place, shape in enumerate(shapes)
    ]


def _query(data: Path) -> list[dict]:
    query = ("query", "--data", data, EVERYTHING, "--output", "jsonl", "--limit", 0, "--direction", "forward")
    return rows_of(answered(*query))


def _copy_truncate(up: Up, writer: Writer) -> None:
    """Rotate by copy and truncate while the writer pauses and everything that it wrote is stored."""
    up.ready()
    until(writer.idle, 30, f"{writer.name} pauses")
    selector = f'{{filename=~".+"}} |= "{writer.path.name} line="'
    until(
        lambda: up.count(selector) >= writer.written, CATCH_UP_S, f"{writer.written} lines of {writer.path.name} stored"
    )
    writer.copy_truncate()


def _live(up: Up, writers: list[Writer], stages: int, stage: int, truncated: Writer | None) -> None:
    """Start the program for one stage of its life; half of the stage's lines are written before, half while it runs."""
    for writer in writers:
        writer.allow((2 * stage + 1) * writer.lines // (2 * stages))
    up.start()
    if truncated is not None:
        _copy_truncate(up, truncated)
    for writer in writers:
        writer.allow((stage + 1) * writer.lines // stages)


def _end(up: Up, how: str, chance: random.Random) -> None:
    """End the program at a random moment: early in its start, or soon after it is ready."""
    if how == "kill" and chance.random() < 0.3:
        time.sleep(chance.uniform(0.0, 1.5))  # the moment is what is tested
    else:
        up.ready()
        time.sleep(chance.uniform(0.0, 1.2))  # the same
    if how == "kill":
        up.kill()
        return
    code, seconds = up.terminate()
    assert code == 0, f"SIGTERM ended it with {code}:\n{up.said()[-4000:]}"
    assert seconds < 10, f"SIGTERM took {seconds:.1f} s"


def _storm(make_up: Callable[..., Up], folder: Path, lines: int, kills: int) -> None:
    seed = _seed()
    try:
        _storm_of(random.Random(seed), make_up(folder), folder, lines, kills)
    except BaseException as failure:
        failure.add_note(f"repeat it with TAILRACE_SEED={seed}")
        raise


def _storm_of(chance: random.Random, up: Up, folder: Path, lines: int, kills: int) -> None:
    folder.mkdir()
    writers = _writers(folder, lines, chance)
    ends = chance.sample(["kill"] * kills + ["terminate"], kills + 1)
    stages = len(ends) + 1
    truncating = chance.randrange(stages)
    for writer in writers:
        writer.start()
    try:
        for stage in range(stages):
            _live(up, writers, stages, stage, writers[-1] if stage == truncating else None)
            if stage < len(ends):
                _end(up, ends[stage], chance)
        for writer in writers:
            writer.join(START_S)
        assert [writer.written for writer in writers] == [writer.lines for writer in writers]
        up.ready()
        total = sum(writer.lines for writer in writers)
        try:
            until(lambda: up.count(EVERYTHING) >= total, CATCH_UP_S, "all lines are stored", every_s=0.2)
        except AssertionError as late:  # which lines are missing says more than that some are
            raise AssertionError(f"{late}\n{_report(faults(_query(up.data), writers))}") from late
        assert not (wrong := faults(_query(up.data), writers)), _report(wrong)
        accounts = until(lambda: _settled(up), CATCH_UP_S, "nothing is pending")
        assert all(account["rejected_lines"] == 0 for account in accounts.values()), accounts
        assert up.terminate()[0] == 0
        assert not (wrong := faults(_query(up.data), writers)), _report(wrong)
    finally:
        for writer in writers:
            writer.stop()
            writer.join(10)


def _settled(up: Up) -> dict[str, dict[str, float]]:
    accounts = up.account()
    return accounts if accounts and not any(account["pending_lines"] for account in accounts.values()) else {}


def _report(wrong: list[str]) -> str:
    return "\n".join([f"{len(wrong)} faults", *wrong[-20:], *wrong[:20]])


def test_a_small_storm_leaves_every_line_once(make_up: Callable[..., Up], tmp_path: Path) -> None:
    _storm(make_up, tmp_path / "logs", lines=8_000, kills=3)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_hundred_thousand_lines_and_ten_kills(make_up: Callable[..., Up], tmp_path: Path) -> None:
    _storm(make_up, tmp_path / "logs", lines=200_000, kills=10)
