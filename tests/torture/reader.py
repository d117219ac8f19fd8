"""An agent that only counts: `python reader.py FOLDER STATE`, until SIGTERM; for loss at rates that no disk takes.

Everything of the real agent runs: source, parsers, batches, checkpoint. Only the sink is one that looks at the
numbers in the lines and forgets them. A line of JSON is printed whenever the numbers do not go on by one, and at the
end: the runs of numbers, the account, the counters.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tailrace import memory
from tailrace.agent import Agent, Progress, stop_on_signals
from tailrace.clock import SystemClock
from tailrace.sources.tail import TailSettings, TailSource
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts

if TYPE_CHECKING:
    from tailrace.batch import Batch

_NUMBER = pl.col("_line").str.slice(0, 13).cast(pl.Int64)


class Counting:
    """Implements `contracts.Sink`: notes which numbers came, as runs without a gap."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.rows = 0

    def submit(self, batch: Batch) -> Future[None]:
        numbers = batch.frame.select(_NUMBER).to_series()
        breaks = (numbers.diff() != 1).arg_true().to_list()  # the first row has no difference
        for start, end in zip([0, *breaks], [*breaks, len(numbers)], strict=True):
            self._add(numbers[start], numbers[end - 1])
        self.rows += len(numbers)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _add(self, first: int, last: int) -> None:
        if self.runs and self.runs[-1][1] + 1 == first:
            self.runs[-1][1] = last
        else:
            self.runs.append([first, last])
            _say({"run": first})

    def last_number(self, _agent: str) -> int | None:
        return None

    def close(self) -> None:
        pass


def main() -> None:
    memory.share_heap()
    clock, accounts, sink = SystemClock(), Accounts(), Counting()
    settings = TailSettings(paths=(str(Path(sys.argv[1]) / "*.log"),))
    source = TailSource(settings, name="files", clock=clock, host="torture")
    agent = Agent(
        [source], sink, Checkpoint.open(Path(sys.argv[2]), agent_name="torture"), accounts=accounts, clock=clock
    )
    said = [-1]

    def tell(progress: Progress) -> None:
        if sink.rows != said[0]:
            said[0] = sink.rows
            _say({"rows": sink.rows, "backlog": progress.backlog_bytes})

    with stop_on_signals(agent.stop):
        agent.run(tell)
    account = accounts.of("files")
    end = {"runs": sink.runs, "rows": sink.rows, "closed": account.closed(), "lines": account.lines}
    _say(end | {"counters": dict(source.counters)})


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
