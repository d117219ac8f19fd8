"""T61 to T67, T70: the checkpoint through kills, power cuts, torn writes and errors at every operation it makes.

An agent's life is played: plans are made, up to three of them open at once, sent, committed and settled, some of them
without a batch, with restarts in between. It is cut at every operation of the disk, in every state that the disk may be found in afterwards. What
must hold then: the state is the sum of what the table holds, no less and no more; no number is sent twice for
different lines; and the life goes on to its end.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tailrace.errors import TransientError
from tailrace.sources.tail import checkpoint as module
from tailrace.sources.tail.checkpoint import Checkpoint, merge
from torture.disk import Crash, Disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torture.disk import Content

PLANS = 7
SEEDS = range(6 * int(os.environ.get("TAILRACE_TORTURE", "1")))


@dataclass
class World:
    """What is outside the checkpoint: what was sent to the table, and how much of it the table has."""

    sent: dict[int, dict] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)  # the plans without a batch
    doubt: tuple[int, dict] | None = None  # a plan without a batch that was cut: it counts if it is on the disk

    @property
    def last(self) -> int | None:
        return next((number for number in reversed(self.done) if number not in self.alone), None)

    def send(self, number: int, marks: dict) -> None:
        assert number not in self.sent, f"number {number} was sent before, with {self.sent[number]}"
        self.sent[number] = marks
        self.in_flight.append(number)
        self.doubt = None

    def commit(self) -> int:
        self.done.append(self.in_flight.pop(0))
        return self.done[-1]

    def crash(self, reach: int) -> None:
        """The process is gone; `reach` of the batches that were on their way still arrive.

        A plan without a batch needs none to arrive; but it never happened if something before it did not.
        """
        for number in self.in_flight:
            reach -= number not in self.alone
            if reach < 0:
                self.doubt = None
                break
            self.done.append(number)
        self.in_flight.clear()

    def state(self) -> dict:
        expected: dict = {}
        for number in self.done:
            merge(expected, self.sent[number])
        return expected

    def found(self, known: dict) -> None:
        """Compare with what a new process knows."""
        if self.doubt is not None and _some(known) != _some(self.state()):
            number, self.sent[number] = self.doubt
            self.done.append(number)
        self.doubt = None
        assert _some(known) == _some(self.state())


def _some(state: dict) -> dict:
    return {source: marks for source, marks in state.items() if marks}


def start(folder: Path, world: World, disk: Disk) -> Checkpoint:
    """Open the checkpoint, and check what it knows."""
    checkpoint = Checkpoint.open(folder, agent_name="a", files=disk)
    try:
        checkpoint.recover(world.last)
        world.found(checkpoint.state)
    except BaseException:
        free(checkpoint)
        raise
    return checkpoint


def free(checkpoint: Checkpoint) -> None:
    """Give the lock free as the end of a process does, without a word to the disk."""
    if checkpoint._lock >= 0:
        os.close(checkpoint._lock)
        checkpoint._lock = -1


def plan(checkpoint: Checkpoint, world: World, marks: dict, *, batch: bool) -> None:
    """Plan, again if the disk is full, as the agent does with patience, and send."""
    number = checkpoint.next_number
    world.alone.discard(number)
    if not batch:
        world.alone.add(number)
        world.doubt = (number, marks)
    for _ in range(3):
        with suppress(TransientError):
            checkpoint.plan(marks, batch=batch)
            break
    else:
        checkpoint.plan(marks, batch=batch)
    world.send(number, marks)


def live(folder: Path, world: World, disk: Disk, chance: random.Random) -> None:
    """Play a life of some plans to its end."""
    checkpoint = start(folder, world, disk)
    try:
        while len(world.done) < PLANS:
            if len(world.in_flight) < chance.randint(1, 3):
                key, other = f"k{chance.randrange(4)}", f"j{chance.randrange(3)}"
                marks = {"files": {key: chance.randrange(1 << 40), other: None}, "reduce": {"n": chance.random()}}
                plan(checkpoint, world, marks, batch=chance.random() < 0.7)
            else:
                checkpoint.settle(world.commit())
            if chance.random() < 0.1:
                restart(checkpoint, world, chance)
                checkpoint = start(folder, world, disk)
        while world.in_flight:
            checkpoint.settle(world.commit())
        checkpoint.close()
    finally:
        free(checkpoint)


def restart(checkpoint: Checkpoint, world: World, chance: random.Random) -> None:
    if chance.random() < 0.5:
        while world.in_flight:
            checkpoint.settle(world.commit())
        checkpoint.close()
    else:
        world.crash(chance.randrange(3))
    free(checkpoint)


@pytest.fixture
def folder() -> Iterator[Path]:
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(os.environ.get("TMPDIR", "/tmp"))
    made = base / f"tailrace-disk-{os.getpid()}"
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture(autouse=True)
def small_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_BYTES", 600)  # rewrites are among the operations


def fresh(folder: Path, content: Content | None = None, **fault: object) -> Disk:
    for path in folder.iterdir():
        path.unlink()
    disk = Disk(folder, **fault)  # type: ignore[arg-type]
    disk.put(content or {})
    return disk


def cuts(folder: Path, seed: int) -> Iterator[tuple[int, World, list[Content]]]:
    """Yield the life cut at each operation: what the table has then, and what the disk may have."""
    for at in count():
        world, disk = World(), fresh(folder, at=at)
        try:
            live(folder, world, disk, random.Random(seed))
        except Crash:
            yield at, world, list(disk.remains())
        else:
            assert at > 15
            return


def survived(folder: Path, content: Content, world: World, reach: int, seed: int) -> None:
    """Start from what is left, live on, and start again."""
    after = deepcopy(world)
    after.crash(reach)
    disk = fresh(folder, content)
    live(folder, after, disk, random.Random(seed))
    free(start(folder, after, disk))
    broken = [name for name in disk._names if "broken" in name]
    assert not broken or _garbled(content), broken


def _garbled(content: Content) -> bool:
    """Tell whether a block without its bytes stands before one with them: only then may a log count as damaged."""
    return any(b"\0" in data[2:].rstrip(b"\0").replace(b"\0\0", b"", 1) for data in content.values())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_power_cut_at_any_operation_loses_and_repeats_nothing(folder: Path, seed: int) -> None:
    """More than a thousand crash points over the seeds; `test_there_are_a_thousand_crash_points` counts them."""
    for at, world, contents in cuts(folder, seed):
        for number, content in enumerate(contents):
            try:
                survived(folder, content, world, (at + number) % 3, seed)
            except BaseException as failure:
                failure.add_note(f"seed {seed}, cut at operation {at}, remains {number}: {content}")
                raise


def test_there_are_a_thousand_crash_points(folder: Path) -> None:
    assert sum(len(contents) for seed in SEEDS for _, _, contents in cuts(folder, seed)) >= 1_000


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_power_cut_during_the_recovery_from_the_first(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    for at, world, contents in cuts(folder, seed):
        content = chance.choice(contents)
        for again in range(6):
            after = deepcopy(world)
            after.crash(chance.randrange(3))
            disk = fresh(folder, content, at=again)
            with suppress(Crash):
                live(folder, after, disk, random.Random(at))
            left = chance.choice(list(disk.remains()))
            survived(folder, left, after, chance.randrange(3), seed)


ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO, "too many open files": errno.EMFILE}


@pytest.mark.parametrize("torn", [None, 0, 5, 100], ids=["nothing", "empty", "some", "more"])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_at_any_operation_is_survived_without_a_restart(folder: Path, error: str, torn: int | None) -> None:
    """T72, T73 for the state folder, and a kill right after the error."""
    for seed in (1, 2):
        for at in count():
            world = World()
            disk = fresh(folder, at=at, fault=OSError(ERRORS[error], os.strerror(ERRORS[error])), torn=torn)
            live(folder, world, disk, random.Random(seed))
            if not disk.hit:
                break
            for content in disk.remains():
                survived(folder, content, world, 0, seed)


def test_a_disk_that_is_full_from_the_start_does_not_stop_it(folder: Path) -> None:
    """T67: nothing can be noted, so nothing is sent; as soon as there is space it goes on."""
    disk = Full(folder)
    checkpoint = Checkpoint.open(folder, agent_name="a", files=disk)
    assert any("No space left" in warning for warning in checkpoint.warnings)
    checkpoint.recover(None)
    with pytest.raises(TransientError, match="No space left"):
        checkpoint.plan({"files": {"k": 1}})
    disk.full = False
    assert checkpoint.plan({"files": {"k": 1}}).number == 0
    disk.full = True
    checkpoint.settle(0)
    checkpoint.close()
    again = Checkpoint.open(folder, agent_name="a")
    again.recover(0)
    assert again.state == {"files": {"k": 1}}
    again.close()


class Full(Disk):
    """No write and no new file succeeds while it is full."""

    full = True

    def write(self, path: Path, data: bytes) -> None:
        self._refuse()
        super().write(path, data)

    def append(self, path: Path, data: bytes) -> None:
        self._refuse()
        super().append(path, data)

    def _refuse(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
