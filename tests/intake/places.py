"""What receivers are given in tests: a sink that keeps batches, stands still or fails, as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import polars as pl

from tailrace.batch import Batch
from tailrace.clock import SystemClock
from tailrace.errors import TransientError
from tailrace.intake.gate import Gate, Limits
from tailrace.intake.listeners import Supply
from tailrace.intake.settings import IntakeSettings
from tailrace.telemetry import Accounts


@dataclass
class Shelf:
    """A sink. `moves` cleared: it takes nothing. `failures`: errors of the next batches."""

    batches: list[Batch] = field(default_factory=list)
    moves: threading.Event = field(default_factory=threading.Event)
    failures: list[Exception] = field(default_factory=list)
    held: list[tuple[Batch, Future[None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.moves.set()

    def submit(self, batch: Batch) -> Future[None]:
        future: Future[None] = Future()
        if not self.moves.is_set():
            self.held.append((batch, future))
        elif self.failures:
            future.set_exception(self.failures.pop(0))
        else:
            self.batches.append(batch)
            future.set_result(None)
        return future

    def go_on(self) -> None:
        """Store what was held, and everything from now on."""
        self.moves.set()
        while self.held:
            batch, future = self.held.pop(0)
            self.batches.append(batch)
            future.set_result(None)

    def last_number(self, agent: str) -> int | None:
        return None

    def close(self) -> None:
        if self.held:
            raise TransientError("some of it was never stored")

    @property
    def rows(self) -> pl.DataFrame:
        """All that is stored, in its order."""
        return pl.concat([batch.frame for batch in list(self.batches)], how="diagonal") if self.batches else NO_ROWS

    @property
    def lines(self) -> list[str]:
        return self.rows["_line"].to_list()


NO_ROWS = pl.DataFrame(schema={"_line": pl.String})


@dataclass
class Place:
    shelf: Shelf
    supply: Supply

    @property
    def accounts(self) -> Accounts:
        return self.supply.accounts

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a counter's series that have the labels."""
        found = [family for family in self.accounts.families() if family.name == name]
        points = [point for family in found for point in family.points]
        return sum(point.value for point in points if labels.items() <= dict(point.labels).items())


def place(limits: Limits | None = None) -> Place:
    shelf, accounts, clock = Shelf(), Accounts(), SystemClock()
    gate = Gate(limits or IntakeSettings(), clock=clock, accounts=accounts)
    return Place(shelf, Supply(shelf, gate, accounts, clock))


def wait_until(holds: Callable[[], object], timeout_s: float = 60) -> None:
    """Wait for another thread, at most so long."""
    limit = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)
