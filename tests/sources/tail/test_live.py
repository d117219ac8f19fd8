"""A writer in another process, real events and a real clock: every line once and in order, whatever the timing."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace.clock import SystemClock
from tailrace.sources.tail import TailSettings, TailSource

WRITER = """
import os, random, shutil, sys, time
folder, lines, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(seed)
path = os.path.join(folder, "app.log")
cuts = dict(zip(sorted(random.sample(range(lines // 10, lines), 5)), random.sample("rrrrc", 5)))
file = open(path, "ab", buffering=0)
number = 0

def shift():
    for n in range(8, 0, -1):
        if os.path.exists(f"{path}.{n}"):
            os.rename(f"{path}.{n}", f"{path}.{n + 1}")

while number < lines:
    count = min(random.randint(1, 400), lines - number)
    data = b"".join(b"%09d a line of the log %s\\n" % (number + i, b"." * ((number + i) % 50)) for i in range(count))
    half = random.randrange(len(data))
    file.write(data[:half])
    file.write(data[half:])
    for cut in [c for c in cuts if number <= c < number + count]:
        shift()
        if cuts[cut] == "r":
            os.rename(path, path + ".1")
            if random.random() < 0.5:
                time.sleep(0.02)
            file = open(path, "ab", buffering=0)
        else:
            time.sleep(1.0)
            shutil.copyfile(path, path + ".1")
            os.truncate(path, 0)
            time.sleep(0.3)
    number += count
    time.sleep(random.random() * 0.004)
"""


@pytest.mark.parametrize(("seed", "whole_folder"), [(1, True), (2, False), (3, True), (4, False)])
def test_kills_in_the_midst_of_rotation_lose_and_double_nothing(tmp_path: Path, seed: int, whole_folder: bool) -> None:
    chance = random.Random(seed)
    lines = 60_000
    settings = TailSettings(paths=(str(tmp_path if whole_folder else tmp_path / "*.log"),))
    state: dict[str, object] = {}
    committed: list[bytes] = []
    size = 0

    def start() -> TailSource:
        source = TailSource(settings, name="files", clock=SystemClock(), host="h")
        source.restore(state)
        return source

    source = start()
    source.read(1 << 20, 0)
    state.update(source.mark())
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(lines), str(seed)]) as writer:
        pending: list[bytes] = []
        marks: dict[str, object] = {}
        names: set[str] = set()
        idle = 0
        while idle < 20 or writer.poll() is None:
            blocks = source.read(8 << 20, 0.05)
            idle = 0 if blocks else idle + 1
            names |= {block.origin.labels["filename"] for block in blocks}
            pending += [block.data for block in blocks]
            marks.update(source.mark())
            if chance.random() < 0.3 or idle:
                committed += pending
                state = {k: v for k, v in {**state, **marks}.items() if v is not None}
                pending, marks = [], {}
            elif chance.random() < 0.15:
                source.close()
                source = start()
                pending, marks = [], {}
            if len(committed) > 50:
                committed = [b"".join(committed)]
                size = len(committed[0])
    source.close()
    numbers = [int(line[:9]) for line in b"".join(committed).splitlines()]
    # A copy whose original was cut short before any position of it was durable is taken for a file of its own when the
    # folder is followed: each line still comes once.
    own_stream = names == {str(tmp_path / "app.log")}
    assert own_stream or whole_folder, names
    assert (numbers if own_stream else sorted(numbers)) == list(range(lines)), (len(numbers), size)
    assert source.counters["possibly_lost_bytes"] == 0
