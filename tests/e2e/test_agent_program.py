"""`tailrace agent` by itself: what it refuses, and lines that nobody can read again."""

from __future__ import annotations

import json
import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from e2e.fleet import Program
from e2e.program import tailrace, until
from sinks.ship.fake_server import FakeServer, serving

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "$.sinks: a program without a table cannot have a sink 'store' (send to a server with 'type: ship'"),
        ({"sinks": [{"type": "ship", "servers": []}]}, "$.sinks[0].servers"),
        ({"sinks": [{"type": "ship", "servers": ["logs:9080"]}]}, "expected an address that begins with http://"),
        (
            {"sinks": [{"type": "ship", "servers": ["http://127.0.0.1:9"], "token": "a", "token_file": "b"}]},
            "there are two tokens",
        ),
        (
            {"sinks": [{"type": "ship", "servers": ["http://127.0.0.1:9"]}], "receivers": [{"type": "syslog"}]},
            "$.receivers: an agent reads, and receives nothing",
        ),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(tmp_path: Path, config: dict, said: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(json.dumps({"data": str(tmp_path / "data"), "sources": [], **config}))
    done = tailrace("agent", "--config", path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_lines_of_a_pipe_survive_a_kill_while_no_server_takes_them(tmp_path: Path) -> None:
    pipe, data = tmp_path / "pipe", tmp_path / "data"
    os.mkfifo(pipe)
    gate = threading.Event()
    gate.set()
    with ExitStack() as stack:
        server = stack.enter_context(serving(FakeServer(before=lambda _: gate.wait(240))))
        stack.callback(gate.set)
        config = {
            "data": str(data),
            "sources": [{"type": "fifo", "path": str(pipe)}],
            "sinks": [{"type": "ship", "servers": [server.address]}],
            "store": {"commit_interval_s": 0.1},
        }
        (tmp_path / "agent.yaml").write_text(json.dumps(config))
        agent = Program(("agent", "--config", str(tmp_path / "agent.yaml")), tmp_path / "agent.txt", {})
        stack.callback(agent.close)
        agent.start()
        writer = stack.enter_context(pipe.open("w", buffering=1))
        writer.write("first\n")
        until(lambda: server.rows.lines == ["first"], 60, "a line arrives")
        until(lambda: not spooled(data), 60, "nothing waits")
        gate.clear()  # from now on nobody answers
        for number in (1, 2):
            writer.write(f"waits {number}\n")
            until(lambda number=number: len(spooled(data)) == number, 60, "a line is in the spool")
        agent.kill()
        gate.set()
        agent.start()
        until(lambda: len(server.rows.lines) >= 3, 60, "what waited arrives")
        writer = stack.enter_context(pipe.open("w", buffering=1))
        writer.write("last\n")
        until(lambda: len(server.rows.lines) >= 4, 60, "what comes later arrives")
        assert server.rows.lines == ["first", "waits 1", "waits 2", "last"]
        assert agent.stop() == 0, agent.said()


def spooled(data: Path) -> list[Path]:
    return list((data / "outgoing").rglob("*.batch"))
