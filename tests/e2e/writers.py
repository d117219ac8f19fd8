"""Programs that write numbered lines into a folder at speed, and rotate their files as logrotate does.

Each writer has one file and one format. A line says who wrote it and which one it is, and the writer remembers how an
answer has to show it, so that loss, repetition, order and content are all visible.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import threading
import time
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("plain", "json", "logfmt", "timestamped")
LEVELS = ("info", "warn", "error", "debug")
_WORDS = (
    "alpha",
    "beta ümlaut",
    "gamma 42",
    "it's 'quoted'",
    "δelta",
    "tab\there",
    "plain words that make a line longer",
)


class Writer(threading.Thread):
    """Writes lines 0, 1, 2 … of one format into one file, as far as it is allowed to go.

    It rotates by rename and create when it has passed each number of `rotate_at`, and writes some more lines to the
    old file before it opens the new one, as a program does that has not yet been told.
    """

    def __init__(self, path: Path, shape: str, lines: int, seed: int, rotate_at: tuple[int, ...] = ()) -> None:
        super().__init__(name=f"writer of {path.name}", daemon=True)
        self.path = path
        self.shape = shape
        self.lines = lines
        self.shown: list[str] = []  # how an answer has to show each line that was written
        self.rotations = 0
        self._rotate_at = sorted(rotate_at)
        self._random = random.Random(seed)
        self._allowed = 0
        self._idle = False
        self._stopped = False
        self._change = threading.Condition()
        self._now_ms = 0

    @property
    def written(self) -> int:
        """How many lines it has made; the last ones may be on their way to the file."""
        return len(self.shown)

    def allow(self, count: int) -> None:
        """Let it go on until so many lines are written in all."""
        with self._change:
            self._allowed = min(count, self.lines)
            self._change.notify()

    def stop(self) -> None:
        """Let it end early."""
        with self._change:
            self._stopped = True
            self._change.notify()

    def idle(self) -> bool:
        """Tell whether all that it may write is in the file, and it touches the file no more until it may go on."""
        with self._change:
            return (self._idle and self.written >= self._allowed) or not self.is_alive()

    def run(self) -> None:
        file = self._open()
        try:
            while self.written < self.lines and (allowed := self._wait_for_more()):
                self._put(file, self._random.randint(1, 400), allowed)
                if self._rotate_at and self.written >= self._rotate_at[0]:
                    self._rotate_at.pop(0)
                    self.rotate()
                    self._put(file, self._random.randint(0, 50), allowed)
                    file.close()
                    file = self._open()
        finally:
            file.close()

    def _open(self) -> BinaryIO:
        return self.path.open("ab", buffering=0)

    def _wait_for_more(self) -> int:
        """Return the number of lines allowed once it is more than are written; 0 when it is to stop."""
        with self._change:
            self._idle = True
            while self.written >= self._allowed and not self._stopped:
                self._change.wait()
            self._idle = False
            return 0 if self._stopped else self._allowed

    def _put(self, file: BinaryIO, count: int, allowed: int) -> None:
        """Append lines by one write, or by two that meet in the middle of a line."""
        block = b"".join(self._next() for _ in range(min(count, allowed - self.written)))
        cut = self._random.randint(0, len(block)) if self._random.random() < 0.3 else len(block)
        for piece in (block[:cut], block[cut:]):
            if piece:
                file.write(piece)

    def _next(self) -> bytes:
        """Make the next line, and remember how it has to be shown."""
        number = self.written
        text = f"{self.path.name} line={number} {_WORDS[number * 7 % len(_WORDS)]}"
        level = LEVELS[number % len(LEVELS)]
        self._now_ms = max(self._now_ms, time.time_ns() // 1_000_000)  # a clock that steps back would be another test
        seconds, milliseconds = divmod(self._now_ms, 1000)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03d}Z"
        if self.shape == "json":
            self.shown.append(text)
            record = {
                "ts": stamp,
                "level": level,
                "message": text,
                "seq": number,
                "http": {"status": 200 + number % 300},
            }
            return json.dumps(record, ensure_ascii=number % 2 == 0).encode() + b"\n"
        if self.shape == "logfmt":
            text = f'ts={stamp} level={level} msg="{text}" seq={number}'
        elif self.shape == "timestamped":
            local = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
            text = f"{local},{milliseconds:03d} {level.upper()} {text}"
        self.shown.append(text)
        return text.encode() + b"\n"

    def rotate(self) -> None:
        """Rename the file away, older ones first, as logrotate does with `create`."""
        self._shift()
        self.path.rename(self._older(1))

    def copy_truncate(self) -> None:
        """Copy the file, then cut it to nothing, as logrotate does with `copytruncate`; only while the writer is idle."""
        self._shift()
        shutil.copyfile(self.path, self._older(1))
        os.truncate(self.path, 0)

    def _shift(self) -> None:
        for number in range(self.rotations, 0, -1):
            self._older(number).rename(self._older(number + 1))
        self.rotations += 1

    def _older(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")
