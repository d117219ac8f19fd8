"""An agent whose server takes batches and never answers: it waits, and its memory does not grow with what it could read."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.fleet import Program
from e2e.program import until
from sinks.ship.fake_server import FakeServer, serving

LINE = (
    b"2026-01-01T00:00:00Z INFO a request for /item/%07d took %05d ms and was answered by shard %03d of the cluster\n"
)
FILE_BYTES = 400 << 20
MOST_MIB = 700
"""Measured: 440 MiB, which reading and parsing at full speed take. All rows of the file would take three times as much."""


def _memory_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


@pytest.mark.e2e
def test_a_server_that_never_answers_does_not_fill_the_memory_of_the_agent(tmp_path: Path) -> None:
    log = tmp_path / "big.log"
    block = b"".join(LINE % (number, number % 99_991, number % 997) for number in range(10_000))
    with log.open("wb") as file:
        for _ in range(FILE_BYTES // len(block)):
            file.write(block)
    waiting, gate = threading.Semaphore(0), threading.Event()

    def before(heading) -> None:
        if heading.lines:
            waiting.release()
            gate.wait(240)

    with ExitStack() as stack:
        server = stack.enter_context(serving(FakeServer(before=before)))
        words = ("agent", str(log), "--data", str(tmp_path / "agent"), "--server", server.address)
        agent = Program(words, tmp_path / "agent.txt", {})
        stack.callback(agent.close)
        stack.callback(gate.set)
        agent.start()
        for _ in range(4):  # as many as may be under way
            assert waiting.acquire(timeout=60), agent.said()
        time.sleep(5)  # time in which an agent without a bound reads on: whatever it does, it must not grow
        assert agent.alive(), agent.said()
        assert _memory_mib(agent.process.pid) < MOST_MIB
        gate.set()
        until(lambda: len(server.rows.lines) > 200_000, 120, "what had waited arrives")
