"""Ship: rows on their way from an agent to a durable table on another process of this machine.

`rows` are frames as an agent hands them to its sink, through `ShipSink`, the loopback, a `tailrace server` and its
table; an answer comes when the commit is fsynced. Counted are the CPU seconds of both processes from the first batch to
the last answer, packing, HTTP, unpacking, Parquet and commits among them: rows a second *per core* are rows by CPU
seconds. `agent` is the whole way from a file: a real `tailrace agent` reads, parses and sends.

`stopped` is an agent whose server takes nothing: it must not grow, however much there is to read.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from bench.inputs import generated
from bench.measure import OUT, Plan, Row, Timer, cpu_seconds, environment, run, status_mib, verdict
from tailrace.batch import Batch, Position
from tailrace.clock import SystemClock
from tailrace.patience import Patience
from tailrace.sinks.around import Around
from tailrace.sinks.ship.settings import ShipSettings
from tailrace.sinks.ship.sink import ShipSink
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PER_CORE = 500_000
BATCH_ROWS = 80_000  # about 16 MiB of lines, what an agent gathers when it has much to read
AGENT_MIB = 400
START_S = 60.0


def measure(plan: Plan) -> list[Row]:
    path = generated("json", plan.import_rows, plan.seed)
    frames = _frames(path)
    rows = [min((_rows(frames) for _ in range(3)), key=lambda row: row.cpu_s or 0.0)]
    rows += [_agent(path, plan.import_rows), _stopped(path)]
    shutil.rmtree(OUT / "ship", ignore_errors=True)
    return rows


def _frames(path: Path) -> list[pl.DataFrame]:
    """Return what an agent makes of a file: as it was stored, without what the table adds."""
    data = OUT / "ship" / "source"
    shutil.rmtree(OUT / "ship", ignore_errors=True)
    run("-m", "tailrace", "collect", path, "--data", data)
    files = sorted((data / "logs").rglob("*.parquet"))
    frame = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files], how="diagonal")
    frame = frame.drop("_time", "_date", strict=False).sort("_offset")
    frame = frame[[name for name in frame.columns if frame[name].null_count() < frame.height]]
    return [frame.slice(at, BATCH_ROWS).rechunk() for at in range(0, frame.height, BATCH_ROWS)]


def _rows(frames: list[pl.DataFrame]) -> Row:
    lines = sum(frame.height for frame in frames)
    size = sum(int(frame["_line"].str.len_bytes().sum()) for frame in frames)
    clock = SystemClock()
    with _server() as (server, address):
        around = Around("ship", OUT / "ship", "bench", "bench", clock, Accounts(), Patience(clock))
        sink = ShipSink(ShipSettings(servers=(address,)), around)
        before_s = cpu_seconds(server.pid)
        with Timer() as timer:
            futures = [
                sink.submit(Batch(frame, "bench", frame.height, 1, Position("bench", number)))
                for number, frame in enumerate(frames)
            ]
            for future in futures:
                future.result()
        there_s = cpu_seconds(server.pid) - before_s
        peak_mib = status_mib(server.pid, "VmHWM")
        sink.close()
    rate = lines / (timer.cpu_s + there_s)
    note = f"{rate / 1000:.0f}k rows/s per core; {timer.cpu_s:.2f} s CPU here, {there_s:.2f} s at the server"
    judged = verdict(rate >= PER_CORE)
    return Row("ship", "rows", timer.seconds, lines, size, timer.cpu_s + there_s, peak_mib, verdict=judged, note=note)


def _agent(path: Path, lines: int) -> Row:
    data = OUT / "ship" / "agent"
    shutil.rmtree(data, ignore_errors=True)
    with _server() as (server, address):
        before_s = cpu_seconds(server.pid)
        began = time.perf_counter()
        words = [sys.executable, "-m", "tailrace", "agent", str(path), "--data", str(data), "--server", address]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=environment()) as agent:
            try:
                while _shipped(address) < lines:
                    time.sleep(0.02)
                seconds = time.perf_counter() - began
                here_s, there_s = cpu_seconds(agent.pid), cpu_seconds(server.pid) - before_s
                peak_mib = status_mib(agent.pid, "VmHWM")
            finally:
                agent.send_signal(signal.SIGTERM)
    note = f"{here_s:.2f} s CPU of the agent with its start, {there_s:.2f} s of the server"
    size = path.stat().st_size
    return Row("ship", "agent, from a file", seconds, lines, size, here_s + there_s, peak_mib, note=note)


def _stopped(path: Path) -> Row:
    """Let an agent read against a server that takes up connections and says nothing."""
    data = OUT / "ship" / "stopped"
    shutil.rmtree(data, ignore_errors=True)
    with _server() as (server, address):
        words = [sys.executable, "-m", "tailrace", "agent", str(path), "--data", str(data), "--server", address]
        with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=environment()) as agent:
            try:
                while not _shipped(address):
                    time.sleep(0.02)
                server.send_signal(signal.SIGSTOP)
                time.sleep(8)
                peak_mib = status_mib(agent.pid, "VmHWM")
            finally:
                agent.kill()
                server.send_signal(signal.SIGCONT)
    note = "peak of the agent after 8 s in which the server took nothing"
    return Row("ship", "stopped", peak_mib=peak_mib, verdict=verdict(peak_mib <= AGENT_MIB), note=note)


@contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    data = OUT / "ship" / "server"
    shutil.rmtree(data, ignore_errors=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    words = [sys.executable, "-m", "tailrace", "server", "--data", str(data), "--listen", listen]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, env=environment()) as process:
        address = f"http://{listen}"
        deadline = time.monotonic() + START_S
        try:
            while not _answers(address):
                assert time.monotonic() < deadline, "the server does not start"
                time.sleep(0.05)
            yield process, address
        finally:
            process.send_signal(signal.SIGTERM)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _shipped(address: str) -> int:
    with urllib.request.urlopen(f"{address}/ship/v1/agents", timeout=30) as answer:
        return sum(agent["lines"] for agent in json.load(answer)["agents"])
