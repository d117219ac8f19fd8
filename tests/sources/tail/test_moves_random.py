"""A log that is written, rotated and compressed at random, and an agent that is stopped in between: every line once."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import time
from pathlib import Path

import pytest
import zstandard

from sources.tail.tailing import Tailing

PACKERS = {".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


class Log:
    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path, self.chance, self.lines = path, chance, 0

    def write(self) -> None:
        count = self.chance.randint(1, 60)
        with self.path.open("a") as file:
            file.writelines(f"{self.lines + n:06} some text{'.' * (n % 7)}\n" for n in range(count))
        self.lines += count

    def rotate(self) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            return
        for old in sorted(self.path.parent.glob("app.log.*"), key=self._number, reverse=True):
            _, _, number, *end = old.name.split(".")
            old.rename(self.path.with_name(".".join(["app.log", str(int(number) + 1), *end])))
        self.path.rename(self.path.with_name("app.log.1"))
        time.sleep(0.006)  # births come from a coarse clock
        self.path.touch()

    def compress(self) -> None:
        plain = [path for path in self.path.parent.glob("app.log.*") if path.suffix not in PACKERS]
        if plain:
            oldest, end = max(plain, key=self._number), self.chance.choice(list(PACKERS))
            data = PACKERS[end](oldest.read_bytes())
            packed = oldest.with_name(oldest.name + end)
            packed.write_bytes(data[: len(data) // 2])
            with packed.open("ab") as file:
                file.write(data[len(data) // 2 :])
            oldest.unlink()

    @staticmethod
    def _number(path: Path) -> int:
        return int(path.name.split(".")[2])


@pytest.mark.parametrize("pattern", ["*", "*.log"])
@pytest.mark.parametrize("seed", range(12))
def test_t11_t104_each_line_comes_once(tmp_path: Path, seed: int, pattern: str) -> None:
    chance = random.Random(seed)
    t = Tailing(tmp_path, events=chance.random() < 0.7, open_files=chance.choice([1, 3, 64]))
    t.source.close()
    t.settings = t.settings.model_copy(update={"paths": (str(tmp_path / pattern),)})
    t.start()
    log, found, running = Log(tmp_path / "app.log", chance), "", True
    log.write()
    found += "".join(t.read().values())
    for _ in range(chance.randint(10, 40)):
        step = chance.choice([log.write, log.write, log.write, log.rotate, log.compress, None, t.read])
        if step == t.read:
            found += "".join(t.later(chance.choice([0, 1, 11, 70])).values()) if running else ""
        elif step is not None:
            step()
        elif running:
            t.source.close()
            running = False
        else:
            t.start()
            running = True
    if not running:
        t.start()
    for _ in range(6):
        found += "".join(t.later(11).values())
    t.source.close()
    assert sorted(int(line[:6]) for line in found.splitlines()) == list(range(log.lines))
    assert t.source.counters["possibly_lost_bytes"] == 0
