"""Single batches that come too late, to another server, after their sender's death or twice: once each, in order.

What `test_fleet` leaves to chance is done here on purpose. An agent runs as the real program; two servers, each with
its own handle, share a table on this disk. Without the check of turns in the commit each of these tests fails; without
the fence at the start of an agent those about an agent that died do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e.fleet import Program, check
from e2e.program import until
from e2e.waylayer import Letter, Waylayer, waylaying
from store.rows import stored
from tailrace.clock import SystemClock
from tailrace.engines.polars import PolarsEngine
from tailrace.shipment import Heading
from tailrace.sinks.store import StoreSink
from tailrace.store.settings import StoreSettings
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from tailrace.web.services import Services
from web.conftest import _served

pytestmark = pytest.mark.e2e

WAIT_S = 60.0
LATE = 409  # "not your turn"


@dataclass
class World:
    """One agent that follows one file, and a network before two servers over one table."""

    way: Waylayer
    table: LogTable
    log: Path
    agent: Program
    lines: int = 0

    def write(self, count: int) -> None:
        with self.log.open("a", encoding="ascii") as file:
            file.writelines(f"line {number} x\n" for number in range(self.lines, self.lines + count))
        self.lines += count

    def held(self, count: int) -> Letter:
        """Wait until so many batches are held; return the last of them."""
        self._until(lambda: len(self.way.held) >= count, f"{count} batches are on their way")
        return self.way.held[count - 1]

    def passed(self, after: Heading) -> None:
        """Wait until a server answered to a batch that follows another one."""
        self._until(lambda: any(one.heading.number > after.number for one, _ in self.way.passed), "the next one came")

    def arrived(self) -> None:
        """Check that every line is in the table once, in order, also when all that was ever sent comes once more."""
        self._until(lambda: self._height() >= self.lines, f"all {self.lines} lines in the table")
        assert self.agent.stop() == 0, self.agent.said()
        self._check()
        for letter, _ in reversed(self.way.passed):
            for server in (1, 0):
                self.way.deliver(letter, server)
        self._check()

    def _check(self) -> None:
        check(stored(self.table), {str(self.log): self.lines})

    def _height(self) -> int:
        return stored(self.table).height

    def _until(self, condition, what: str) -> None:
        until(lambda: condition() or not self.agent.alive(), WAIT_S, what)
        assert self.agent.alive(), f"the agent ended by itself before {what}:\n{self.agent.said()[-3000:]}"


def _server(data: Path, stack: ExitStack) -> str:
    settings = StoreSettings(commit_interval_s=0.01)
    table, clock, accounts = LogTable.open(data, create=True, settings=settings), SystemClock(), Accounts()
    sink = StoreSink(table, clock=clock, settings=settings)
    stack.callback(sink.close)
    services = Services(table, PolarsEngine(), sink, accounts, clock, "box", tuple, clock.now_ns(), lambda: True)
    return stack.enter_context(_served(create_app(services))).removeprefix("http://")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        data, logs = tmp_path / "table", tmp_path / "logs"
        logs.mkdir()
        way = Waylayer([_server(data, stack) for _ in range(2)])
        stack.enter_context(waylaying(way))
        config = {
            "data": str(tmp_path / "agent"),
            "sources": [{"paths": [f"{logs}/*.log"]}],
            "sinks": [{"type": "ship", "servers": [way.address]}],
            "store": {"commit_interval_s": 0.02},
        }
        (tmp_path / "agent.yaml").write_text(json.dumps(config))
        agent = Program(("agent", "--config", str(tmp_path / "agent.yaml")), tmp_path / "agent.txt", {})
        stack.callback(agent.close)
        yield World(way, LogTable.open(data, create=True), logs / "0.log", agent)


def test_a_batch_is_overtaken_by_the_next_one_and_arrives_at_another_server(world: World) -> None:
    world.write(3)
    first: list[int] = []

    def holds(heading: Heading) -> bool:  # the first batch with lines, however often it is sent
        if heading.lines and not first:
            first.append(heading.number)
        return heading.number in first

    world.way.holds = holds
    world.agent.start()
    overtaken = world.held(1).heading
    world.write(5)
    world.passed(overtaken)
    world.way.current = 1
    world.way.release()
    world.write(2)
    world.arrived()


@pytest.mark.parametrize("until_rows", [False, True], ids=["before the fence", "behind the fence"])
def test_a_batch_arrives_when_its_sender_was_killed_and_has_begun_anew(world: World, until_rows: bool) -> None:
    """Its lines are read again, in another cut: they must not come twice."""
    world.write(3)
    world.way.holds = lambda heading: heading.lines > 0
    world.agent.start()
    late = world.held(1)
    world.agent.kill()
    world.write(4)
    world.way.holds = lambda heading: heading.lines > 0 if until_rows else True
    world.agent.start()
    again = world.held(2).heading  # of the new life: it has asked what the table holds
    assert bool(again.lines) == until_rows
    status = world.way.deliver(late, 1)
    assert status == (LATE if until_rows else 200)
    world.way.release()
    world.write(2)
    world.arrived()
