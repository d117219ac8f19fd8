"""What a stage reports, and how a process is measured: wall clock, CPU seconds of all its threads, peak memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from tailrace import memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MB: Final = 1_000_000
MIB: Final = 1 << 20
OUT: Final = Path(__file__).parent / "out"
"""Where generated files and tables live; ignored by git."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report. What was not measured is None; `ratio` is ours to the peer's, less is better."""

    stage: str
    what: str
    seconds: float | None = None
    lines: int | None = None
    bytes: int | None = None
    cpu_s: float | None = None
    peak_mib: float | None = None
    ratio: float | None = None
    verdict: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the measurements are."""

    rows: int = 10_000_000  # of the query stage
    import_rows: int = 2_000_000
    memory_rows: tuple[int, int] = (2_000_000, 7_500_000)  # about 0.4 and 1.6 GB
    parse_bytes: int = 256 * MIB
    repeat: int = 5
    latency_lines: int = 200
    idle_files: int = 1_000
    idle_s: float = 20.0
    tail_bytes: int = 500 * MB
    steady_s: float = 30.0
    quiet_files: int = 10_000
    new_files: int = 100
    known_files: int = 100_000
    sample_bytes: int = 50 * MB  # of the text that zstd -19 is given
    scrolled_lines: int = 1_000_000
    scroll_s: float = 600.0
    live_s: float = 60.0
    seed: int = 1


QUICK: Final = Plan(
    rows=1_000_000,
    import_rows=400_000,
    memory_rows=(200_000, 800_000),
    parse_bytes=128 * MIB,
    repeat=3,
    latency_lines=60,
    idle_files=200,
    idle_s=5.0,
    tail_bytes=100 * MB,
    steady_s=10.0,
    quiet_files=2_000,
    new_files=20,
    known_files=20_000,
    sample_bytes=5 * MB,
    scrolled_lines=20_000,
    scroll_s=60.0,
    live_s=10.0,
)
"""About a minute in all; the ratios are rougher, the verdicts the same."""


@dataclass(slots=True)
class Ran:
    """A process that ended."""

    seconds: float
    cpu_s: float
    peak_mib: float
    output: str


@dataclass(slots=True)
class Timer:
    """Wall clock and CPU seconds of this process over a `with` block."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    _start: tuple[float, float] = field(default=(0.0, 0.0))

    def __enter__(self) -> Self:
        self._start = (time.perf_counter(), time.process_time())
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start[0]
        self.cpu_s = time.process_time() - self._start[1]


def status_mib(pid: int | str, key: str) -> float:
    """Return a size of `/proc/PID/status`: `VmRSS` now, `VmHWM` at its highest; 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:")), 0.0)


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a running process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def environment() -> dict[str, str]:
    """Return the environment for a process that is measured: Polars here has left its own words on memory in ours."""
    return {**os.environ, **dict([memory.POLARS])}


def run(*words: object, timeout_s: float = 900.0) -> Ran:
    """Run a Python program (`-m tailrace …`) to its end and measure it; a failure ends the bench with what it said.

    The peak is `VmHWM` as last seen, every 10 ms: `ru_maxrss` of a child begins with the memory of its parent.
    """
    log = OUT / f"process-{os.getpid()}.txt"
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(),
        )
        peak = 0.0
        while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = max(peak, status_mib(process.pid, "VmHWM"))
            if time.perf_counter() - began > timeout_s:
                process.kill()
            time.sleep(0.01)
        process.returncode = os.waitstatus_to_exitcode(ended[1])
    said = log.read_text(errors="replace")
    log.unlink()
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} ended with {process.returncode}:\n{said[-4000:]}")
    return Ran(time.perf_counter() - began, ended[2].ru_utime + ended[2].ru_stime, peak, said)


def median(measured: Callable[[], Ran], times: int) -> Ran:
    """Run something several times and return the run of the middle wall clock."""
    return sorted((measured() for _ in range(times)), key=lambda ran: ran.seconds)[times // 2]


def verdict(held: bool) -> str:
    """Return how a bound that the project has set itself came out."""
    return "ok" if held else "MISSED"


def turns(path: Path, turn_bytes: int) -> Iterator[bytes]:
    """Yield the file in pieces of about that size that end in a newline."""
    with path.open("rb") as file:
        while piece := file.read(turn_bytes):
            yield piece + (b"" if piece.endswith(b"\n") else file.readline())
