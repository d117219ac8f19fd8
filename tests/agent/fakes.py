"""Sources, a sink and a reduction that do what a test says."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import polars as pl

from tailrace.agent import Agent
from tailrace.clock import SystemClock
from tailrace.contracts import Block, Origin, Reading, Reduced
from tailrace.errors import TransientError
from tailrace.sources.tail.checkpoint import Checkpoint
from tailrace.telemetry import Accounts


class Numbers:
    """A source of numbered lines, one block per turn; its position is the count of lines handed out."""

    def __init__(self, turns: int, *, endless: bool = False, name: str = "numbers") -> None:
        self.name = name
        self.at = 0
        self.marked = 0
        self.turns = turns
        self.endless = endless
        self.closed = False
        self._origin = Origin("k", {"filename": f"/{name}"}, Reading(format="plain"))

    def restore(self, state):
        self.at = self.marked = int(state.get("at", 0))

    @property
    def done(self):
        return not self.endless and self.at >= self.turns

    def read(self, budget_bytes, timeout_s):
        if self.at >= self.turns:
            threading.Event().wait(min(timeout_s, 0.01))
            return []
        self.at += 1
        return [Block(self._origin, self.at, f"line {self.at}\n".encode(), self.at)]

    def mark(self):
        changed, self.marked = self.at != self.marked, self.at
        return {"at": self.at} if changed else {}

    def backlog_bytes(self):
        return 0

    def status(self):
        return []

    @property
    def counters(self):
        return {}

    def close(self):
        self.closed = True


class Memory:
    """A sink that keeps batches and, as a table does, the last number of each agent; it may hold its promises back."""

    def __init__(self, *, fail_at: int | None = None, hold: bool = False) -> None:
        self.batches = []
        self.numbers = {}
        self.held = [] if hold else None
        self.fail_at = fail_at

    def submit(self, batch):
        done: Future[None] = Future()
        if self.fail_at == len(self.batches):
            done.set_exception(TransientError("the disk is full"))
            return done
        self.batches.append(batch)
        self.numbers[batch.position.agent] = batch.position.number
        if self.held is None:
            done.set_result(None)
        else:
            self.held.append(done)
        return done

    def last_number(self, agent):
        return self.numbers.get(agent)

    def close(self):
        pass

    def lines(self):
        return pl.concat([batch.frame for batch in self.batches])["_line"].to_list() if self.batches else []


class Odd:
    """A reduction that drops the lines with odd numbers, counts all, and at the very end says how many there were."""

    def __init__(self) -> None:
        self.seen = 0
        self.changed = False
        self.stops = 0
        self.editions = []  # how many were seen at each edition that was published

    def restore(self, state):
        self.seen = int(state.get("seen", 0))

    def reduce(self, frame, now_ns):
        self.seen += frame.height
        self.changed = True
        odd = frame["_line"].str.extract(r"(\d+)$").cast(pl.Int64) % 2 == 1
        gone = frame.filter(odd)
        dropped = [("odd", int(gone["_in_lines"].sum()), int(gone["_in_bytes"].sum()))] if gone.height else []
        return Reduced(frame.filter(~odd), dropped)

    def flush(self, now_ns, *, final):
        rows = [f"seen {self.seen}"] if final else []
        frame = pl.DataFrame(
            {"_line": rows, "_time_ns": [now_ns] * len(rows), "_observed_ns": [now_ns] * len(rows)},
            schema={"_line": pl.String, "_time_ns": pl.Int64, "_observed_ns": pl.Int64},
        )
        zero = pl.lit(0, pl.Int64)
        return Reduced(frame.with_columns(pl.lit("{}").alias("_stream"), _in_lines=zero, _in_bytes=zero))

    def stop(self):
        self.stops += 1

    def mark(self):
        changed, self.changed = self.changed, False
        return {"seen": self.seen} if changed else {}

    def edition(self):
        seen = self.seen
        return lambda: self.editions.append(seen)


def agent_of(folder, sources, sink, **options):
    checkpoint = Checkpoint.open(folder / "agent", agent_name="t")
    accounts = Accounts()
    return Agent(sources, sink, checkpoint, accounts=accounts, clock=SystemClock(), **options), accounts


def until(condition, seconds=10):
    """Wait until something is true; fails the test if it never is."""
    end_s = SystemClock().monotonic_s() + seconds
    while not condition():
        assert SystemClock().monotonic_s() < end_s, "it never happened"
        threading.Event().wait(0.002)
