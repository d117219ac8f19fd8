"""Programs that share one table in object storage, to be killed at any moment: `python -m store.fleet writer|keeper …`."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from store.rows import START_NS, batch
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import TransientError
from tailrace.store.compact import compact
from tailrace.store.settings import StoreSettings
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 3  # a commit
DEADLINE_S = 240
SETTINGS = StoreSettings(grace_s=0)


def write(data: Path, url: str, agent: str, commits: int) -> None:
    """Go on where the table says that this agent is."""
    table = patiently(lambda: LogTable.open(data, create=True, url=url, settings=SETTINGS))
    done = patiently(lambda: table.last_number(agent))
    for number in range(0 if done is None else done + 1, commits):
        texts = [f"{agent} {number} {line}" for line in range(LINES)]
        fields = {f"{agent}_{number // 8}": [number] * LINES}  # a column of its own now and then
        patiently(lambda: table.commit([batch(texts, agent, number, start_ns=START_NS + number, **fields)]))  # noqa: B023  at once


def keep(data: Path, url: str) -> None:
    """Join and clean for ever."""
    table = patiently(lambda: LogTable.open(data, create=True, url=url, settings=SETTINGS))
    while True:
        patiently(lambda: (compact(table, everything=True), vacuum(table)))


def patiently(action: Callable[[], object]) -> object:
    """Try as the sink does."""
    while True:
        try:
            return action()
        except TransientError:
            time.sleep(0.1)


@dataclass
class Program:
    """One of them, started again whenever it was killed."""

    words: list[str]
    kills: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "POLARS_MAX_THREADS": "1"}
        self.process = subprocess.Popen([sys.executable, "-m", "store.fleet", *self.words], env=environment)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.kills += 1


def play(folder: Path, url: str, *, writers: int, commits: int, kills: int, seed: int) -> None:
    """Let writers and a keeper work, kill one of them again and again, and look at what is there in the end."""
    chance, deadline_s = random.Random(seed), time.monotonic() + DEADLINE_S
    names = [f"w{number}" for number in range(writers)]
    programs = [Program(["writer", str(folder / name), url, name, str(commits)]) for name in names]
    keeper = Program(["keeper", str(folder / "keeper"), url])
    everybody = [*programs, keeper]
    try:
        for program in everybody:
            program.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.5, 3))  # so that kills fall anywhere, not so that something is done by then
            one = chance.choice(everybody)
            if one.process is not None and one.process.poll() is None:
                one.kill()
                one.start()
        for program in programs:
            assert program.process is not None
            assert program.process.wait(max(1, deadline_s - time.monotonic())) == 0
        assert keeper.process is not None
        assert keeper.process.poll() is None, "the keeper ended by itself"
    finally:
        for program in everybody:
            if program.process is not None and program.process.poll() is None:
                program.kill()
    check(folder / "reader", url, names, commits)


def check(data: Path, url: str, names: list[str], commits: int) -> None:
    """Look for lines that are lost or doubled, and for faults of the table."""
    table = LogTable.open(data, url=url)
    segments, engine = table.snapshot().segments(0, 2**62), PolarsEngine()
    found = sorted(engine.collect(engine.scan(segments, {"_line": pl.String()}))["_line"])
    assert found == sorted(
        f"{name} {number} {line}" for name in names for number in range(commits) for line in range(LINES)
    )
    assert verify(table).faults == ()


if __name__ == "__main__":
    kind, folder, url, *rest = sys.argv[1:]
    if kind == "writer":
        write(Path(folder), url, rest[0], int(rest[1]))
    else:
        keep(Path(folder), url)
