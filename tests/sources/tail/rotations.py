"""A log that is written, rotated and compressed at random, and an agent that is stopped and killed in between.

Comes in: a seed and which kinds of rotation are mixed. Goes out: a `Run`, which tells what of the lines was missing,
doubled or out of order, and what was counted as lost. Lines that were written between a copy and the cut exist nowhere
afterwards: they may be missing, but if the agent had seen the file that large they must be counted.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import zstandard

from sources.tail.tailing import Tailing
from tailrace.sources.tail.watch import POLL_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
KINDS: Final = ("rename", "copy", "mixed")

_KILLED: Final = 0.1  # so many readings are not acknowledged
_TICK_S: Final = 0.006  # births come from a coarse clock


class Log:
    """A log and its rotated files; their names end in a number that grows with age, or in a date."""

    def __init__(self, path: Path, chance: random.Random, *, dated: bool) -> None:
        self.path, self.chance, self.dated = path, chance, dated
        self.lines: list[str] = []
        self.unsaved: set[str] = set()  # written after the last copy, and cut
        self._serial = 0

    def write(self) -> list[str]:
        count = self.chance.choice([1, 2, self.chance.randint(1, 60)])
        lines = [f"{len(self.lines) + n:06} some text{'.' * (n % 7)}\n" for n in range(count)]
        with self.path.open("a") as file:
            file.writelines(lines)
        self.lines += lines
        return lines

    def rename(self) -> None:
        if self.path.exists() and self.path.stat().st_size:
            self.path.rename(self._next_name())
            time.sleep(_TICK_S)
            self.path.touch()

    def copy(self, between: list[str]) -> bool:
        """Copy the log, and write `between`, what is lost when it is cut."""
        if not self.path.exists() or not self.path.stat().st_size:
            return False
        name = self._next_name()
        time.sleep(_TICK_S)
        shutil.copyfile(self.path, name)
        between += self.write() if self.chance.random() < 0.2 else []
        return True

    def cut(self, between: list[str]) -> None:
        self.unsaved.update(between)
        with self.path.open("r+b") as file:
            file.truncate(0)
        time.sleep(_TICK_S)

    def compress(self) -> None:
        plain = [path for path in self._rotated() if path.suffix not in PACKERS]
        if plain:
            end = self.chance.choice(list(PACKERS))
            data = PACKERS[end](plain[0].read_bytes())
            packed = plain[0].with_name(plain[0].name + end)
            packed.write_bytes(data[: len(data) // 2])
            with packed.open("ab") as file:
                file.write(data[len(data) // 2 :])
            plain[0].unlink()
            time.sleep(_TICK_S)

    def _next_name(self) -> Path:
        self._serial += 1
        if self.dated:
            return self.path.with_name(f"{self.path.name}-20260101-{self._serial:06}")
        for old in self._rotated():
            _, _, number, *end = old.name.split(".")
            old.rename(self.path.with_name(".".join([self.path.name, str(int(number) + 1), *end])))
        return self.path.with_name(f"{self.path.name}.1")

    def _rotated(self) -> list[Path]:
        """Return the rotated files, oldest first."""
        found = [path for path in self.path.parent.iterdir() if path != self.path]
        if self.dated:
            return sorted(found, key=lambda path: path.name)
        return sorted(found, key=lambda path: -int(path.name.split(".")[2]))


@dataclass
class Run:
    """What came of a run."""

    steps: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    uncounted: list[str] = field(default_factory=list)  # missing, exists nowhere, was seen and is not counted
    doubled: list[str] = field(default_factory=list)
    unordered: list[str] = field(default_factory=list)  # streams
    counted: int = 0
    lost_bytes: int = 0  # that may not be counted less than this

    @property
    def faults(self) -> str:
        """Name what went wrong."""
        wrong = {name: getattr(self, name) for name in ("missing", "uncounted", "doubled", "unordered")}
        return " ".join(name for name, found in wrong.items() if found)


class Storm:
    """One run."""

    def __init__(self, folder: Path, seed: int, kind: str, pattern: str) -> None:
        chance = self.chance = random.Random(f"{seed} {kind} {pattern}")
        self.log = Log(folder / "app.log", chance, dated=chance.random() < 0.3)
        self.kind, self.run, self.running, self.lost = kind, Run(), True, 0
        self.found: list[tuple[str, str]] = []
        self.seen: set[str] = set()  # the agent looked after they were written
        events, open_files = chance.random() < 0.7, chance.choice([1, 3, 64])
        self.t = Tailing(folder, events=events, open_files=open_files, paths=(str(folder / pattern),))

    def go(self) -> Run:
        log = self.log
        log.write()
        self.read(0)
        rotations = {"rename": [self.rename], "copy": [self.copy], "mixed": [self.rename, self.copy]}[self.kind]
        steps = [log.write, log.write, log.write, *rotations, log.compress, self.stop_or_start, self.read, self.read]
        for _ in range(self.chance.randint(10, 40)):
            step = self.chance.choice(steps)
            self.run.steps.append(step.__name__)
            step()
        if not self.running:
            self.stop_or_start()
        for _ in range(6):
            self.read(11)
        self.t.source.close()
        return self.judge()

    def read(self, seconds: float | None = None) -> None:
        if not self.running:
            return
        seconds = self.chance.choice([0, 1, 11, 70]) if seconds is None else seconds
        killed = bool(self.found) and self.chance.random() < _KILLED
        self.run.steps.append(f"+{seconds}{'!' if killed else ''}")
        self.t.clock.advance(seconds)
        if not killed and (self.t.events or seconds > POLL_S[1]):
            self.seen.update(line for line in self.log.lines if line not in self.log.unsaved)
        blocks = self.t.blocks(acknowledge=not killed)
        if killed:
            self.t.restart()
        else:
            self.found += [
                (block.origin.labels["filename"], line)
                for block in blocks
                for line in block.data.decode().splitlines(keepends=True)
            ]

    def stop_or_start(self) -> None:
        if self.running:
            self.lost += self.t.source.counters["possibly_lost_bytes"]
            self.t.source.close()
        else:
            self.t.start()
        self.running = not self.running

    def rename(self) -> None:
        self.log.rename()

    def copy(self) -> None:
        between: list[str] = []
        if self.log.copy(between):
            if self.chance.random() < 0.3:
                self.read()
            self.log.cut(between)

    def judge(self) -> Run:
        run, lines = self.run, [line for _, line in self.found]
        run.counted = self.lost + self.t.source.counters["possibly_lost_bytes"]
        found = set(lines)
        run.doubled = [line for line in dict.fromkeys(lines) if lines.count(line) > 1]
        run.missing = [line for line in self.log.lines if line not in found | self.log.unsaved]
        lost = [line for line in self.log.lines if line not in found and line in self.log.unsaved & self.seen]
        run.lost_bytes = sum(len(line) for line in lost)
        run.uncounted = lost if run.lost_bytes > run.counted else []
        for name in dict.fromkeys(name for name, _ in self.found):
            numbers = [int(line[:6]) for of, line in self.found if of == name]
            if numbers != sorted(numbers):
                run.unordered.append(name)
        return run
