"""File events from the kernel to the table: files made at full speed on a file system of their own, then stored.

The queue of the kernel holds the events until the agent starts, so that the rate is the agent's and not the writer's.
The rate counts from the first read to the last row durable, with who did it. Root only: it mounts a tmpfs and marks it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.measure import OUT, Plan, Row, verdict
from tailrace.agent.running import Agent
from tailrace.clock import SystemClock
from tailrace.sinks.store import StoreSink
from tailrace.sources.file_events.settings import FileEventsSettings
from tailrace.sources.file_events.source import FileEventsSource
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.store.settings import StoreSettings
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVENTS_S: Final = 100_000
"""File events a second, from kernel to table, on two cores."""

FILES: Final = 600_000


def measure(plan: Plan) -> list[Row]:
    if os.geteuid() != 0:
        return [Row("file_events", "kernel to table", note="needs root")]
    files = FILES if plan.rows > 1_000_000 else FILES // 10
    best = min((_once(files) for _ in range(min(3, plan.repeat))), key=lambda row: row.seconds or 0.0)
    return [best]


def _once(files: int) -> Row:
    with _mounted(OUT / "file_events") as top:
        data = OUT / "file_events_data"
        shutil.rmtree(data, ignore_errors=True)
        clock, accounts = SystemClock(), Accounts()
        source = FileEventsSource(FileEventsSettings(paths=(str(top),)), name="files", clock=clock, host="bench")
        source.restore({})
        while source.read(1 << 23, 0.1):
            pass
        subprocess.run([sys.executable, "-m", "bench.file_events", top, str(files)], check=True)
        events = source.counters["queue"]
        agent = Agent(
            [source],
            StoreSink(LogTable.open(data, create=True), clock=clock, settings=StoreSettings()),
            Checkpoint.open(data / "agents" / "bench", agent_name="bench"),
            accounts=accounts,
            clock=clock,
        )
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        thread = threading.Thread(target=agent.run)
        thread.start()
        while accounts.of("files").lines["stored"] < events:
            time.sleep(0.02)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        agent.stop()
        thread.join()
        rate = events / wall_s
    return Row(
        "file_events",
        "kernel to table",
        seconds=wall_s,
        lines=events,
        cpu_s=cpu_s,
        verdict=verdict(rate >= EVENTS_S),
        note=f"{rate:,.0f} events/s, at least {EVENTS_S:,}; {1e6 * cpu_s / events:.1f} µs CPU each",
    )


@contextmanager
def _mounted(place: Path) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def make(top: str, files: int) -> None:
    for folder in range(files // 1000):
        os.mkdir(f"{top}/{folder}")  # noqa: PTH102
        for number in range(1000):
            os.close(os.open(f"{top}/{folder}/file-{number}", os.O_CREAT | os.O_WRONLY))


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]))
