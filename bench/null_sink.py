"""Tail and parse files into nothing: `python -m bench.null_sink PATH`, which prints what it took as one line of JSON.

The whole reading half runs, checkpoint included; only the sink forgets what it is given. With `--known N` it is not the
reading that is measured but the start: N files are read, then a second source starts from their positions. With
`--follow` it goes on until SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measure import status_mib
from tailrace import memory
from tailrace.agent import Agent, stop_on_signals
from tailrace.clock import SystemClock
from tailrace.sources.tail import TailSettings, TailSource
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from tailrace.batch import Batch


class NullSink:
    """Implements `contracts.Sink` by counting."""

    def __init__(self) -> None:
        self.rows = 0

    def submit(self, batch: Batch) -> Future[None]:
        """Count the rows and forget them."""
        self.rows += batch.frame.height
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def last_number(self, _agent: str) -> int | None:
        """Know nobody."""
        return None

    def close(self) -> None:
        """Do nothing."""


def read(path: str, state: Path) -> dict[str, float]:
    """Read files once to their end."""
    clock, sink, accounts = SystemClock(), NullSink(), Accounts()
    source = TailSource(TailSettings(paths=(path,), follow=False), name="files", clock=clock, host="bench")
    agent = Agent([source], sink, Checkpoint.open(state, agent_name="bench"), accounts=accounts, clock=clock)
    began, cpu = time.perf_counter(), time.process_time()
    agent.run()
    account = accounts.of("files")
    assert account.closed()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "lines": account.lines["stored"],
        "bytes": account.bytes["stored"],
        "rows": sink.rows,
    }


def follow(path: str, state: Path) -> dict[str, float]:
    """Follow files until told to stop; whoever started this measures it from outside."""
    sink, accounts = NullSink(), Accounts()
    clock = SystemClock()
    source = TailSource(TailSettings(paths=(path,)), name="files", clock=clock, host="bench")
    agent = Agent([source], sink, Checkpoint.open(state, agent_name="bench"), accounts=accounts, clock=clock)
    with stop_on_signals(agent.stop):
        agent.run()
    return {"lines": accounts.of("files").lines["stored"], "rows": sink.rows}


def start(path: str, state: Path, files: int) -> dict[str, float]:
    """Start with files that are known and unchanged, until the first look at all of them is done."""
    clock = SystemClock()
    settings = TailSettings(paths=(path,))
    checkpoint = Checkpoint.open(state, agent_name="bench")
    checkpoint.recover(None)
    source = TailSource(settings, name="files", clock=clock, host="bench")
    source.restore({})
    size = 0
    while blocks := source.read(1 << 24, 0):
        size += sum(len(block.data) for block in blocks)
    checkpoint.settle(checkpoint.plan({"files": source.mark()}, batch=False).number)
    checkpoint.close()
    source.close()
    del source, checkpoint, blocks
    began, cpu = time.perf_counter(), time.process_time()
    checkpoint = Checkpoint.open(state, agent_name="bench")
    checkpoint.recover(None)
    known = checkpoint.state["files"]
    source = TailSource(settings, name="files", clock=clock, host="bench")
    source.restore(known)
    assert not source.read(1 << 24, 0), "a known file was read again"
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    assert len(source.status()) == files
    source.close()
    checkpoint.close()
    return {"seconds": seconds, "cpu_s": cpu_s, "lines": files, "bytes": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path")
    parser.add_argument("--known", type=int, default=0)
    parser.add_argument("--follow", action="store_true")
    given = parser.parse_args()
    memory.share_heap()
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
        state = Path(folder)
        if given.follow:
            took = follow(given.path, state)
        else:
            took = start(given.path, state, given.known) if given.known else read(given.path, state)
    print(json.dumps(took | {"peak_mib": status_mib("self", "VmHWM")}))


if __name__ == "__main__":
    main()
