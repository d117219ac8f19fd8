"""A container that logs and a kubelet that rotates: `python kubelet.py FOLDER --rates 1,10,50 --seconds 5`.

One thread writes numbered CRI lines into `0.log` at a rate that steps up. Another does what the kubelet's
`ContainerLogManager` does at each interval, one file at a time: if `0.log` is as large as allowed, remove the oldest
rotated files, compress those that are plain (`.tmp`, then `.gz`, then the plain one is unlinked), rename `0.log` to
`0.log.YYYYMMDD-HHMMSS`, and tell the writer to reopen; until it does, it goes on in the renamed file.
The newest rotated file stays plain until the next time. At the end the report is printed: the numbers that each step
wrote, and how many rotations there were.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

LINES = 1_000
"""Lines of a chunk, which is written by one call and numbered by one replacement."""

_WORDS = "request served from cache in 412 us order 77 placed by customer 1234 label printed at station 9 "


def _template() -> bytes:
    """Return a chunk; a line is `TIME stdout F NUMBER WORDS`, about 215 bytes."""
    lines = []
    for number in range(LINES):
        words = (_WORDS[number % 89 :] + _WORDS)[: 120 + number % 97]
        lines.append(f"TIMETIMETIMETIMETIMETIMETIMETI stdout F CHUNKCHUNK{number:03d} {words}\n")
    return "".join(lines).encode()


class Container:
    """Writes chunks into the log that it has open, and opens it again when it is told to."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.chunks = 0
        self.reopen = threading.Event()
        self._template = _template()
        self._file: BinaryIO = log.open("ab", buffering=0)

    @property
    def chunk_bytes(self) -> int:
        return len(self._template)

    def write(self) -> None:
        if self.reopen.is_set():
            self._file.close()
            self._file = self.log.open("ab", buffering=0)
            self.reopen.clear()
        now_ns = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_ns // 10**9)) + f".{now_ns % 10**9:09d}Z"
        chunk = self._template.replace(b"TIMETIMETIMETIMETIMETIMETIMETI", stamp.encode())
        self._file.write(chunk.replace(b"CHUNKCHUNK", b"%010d" % self.chunks))
        self.chunks += 1

    def close(self) -> None:
        self._file.close()


class Kubelet(threading.Thread):
    """Rotates the log of one container."""

    def __init__(self, container: Container, interval_s: float, max_bytes: int, max_files: int) -> None:
        super().__init__(name="kubelet", daemon=True)
        self.rotations = 0
        self.largest = 0
        self._container = container
        self._log = container.log
        self._interval_s = interval_s
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._interval_s):
            if self._log.stat().st_size >= self._max_bytes:
                self._rotate()

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _rotate(self) -> None:
        rotated = sorted(self._log.parent.glob(f"{self._log.name}.*"))
        excess = max(0, len(rotated) - (self._max_files - 2))  # the live one and the one that is rotated now remain
        for path in rotated[:excess]:
            path.unlink()
        for path in rotated[excess:]:
            if path.suffix != ".gz":
                self._compress(path)
        self.largest = max(self.largest, self._log.stat().st_size)
        self._log.rename(f"{self._log}.{time.strftime('%Y%m%d-%H%M%S')}")
        self.rotations += 1
        self._container.reopen.set()

    def _compress(self, path: Path) -> None:
        temporary = path.with_name(f"{path.name}.tmp")
        with path.open("rb") as plain, gzip.open(temporary, "wb", compresslevel=1) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)
        temporary.rename(f"{path}.gz")
        path.unlink()


def ramp(container: Container, rates_mb_s: list[float], seconds: float) -> list[dict[str, float]]:
    """Write at each rate for so long; return the lines of each step."""
    steps = []
    for rate in rates_mb_s:
        began, first, written = time.monotonic(), container.chunks, 0
        while (now := time.monotonic() - began) < seconds:
            if written <= rate * 1e6 * now:
                container.write()
                written += container.chunk_bytes
            else:
                time.sleep(0.001)
        mb_s = written / 1e6 / seconds
        steps.append({"rate": rate, "wrote_mb_s": mb_s, "first": first * LINES, "end": container.chunks * LINES})
    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rates", default="1,10,50,100")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--interval", type=float, default=2.0)
    parser.add_argument("--max-bytes", type=int, default=10 << 20)
    parser.add_argument("--max-files", type=int, default=5)
    given = parser.parse_args()
    container = Container(given.folder / "0.log")
    kubelet = Kubelet(container, given.interval, given.max_bytes, given.max_files)
    kubelet.start()
    steps = ramp(container, [float(rate) for rate in given.rates.split(",")], given.seconds)
    kubelet.end()
    container.close()
    sys.stdout.write(json.dumps({"steps": steps, "rotations": kubelet.rotations, "largest": kubelet.largest}) + "\n")


if __name__ == "__main__":
    main()
