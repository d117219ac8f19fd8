"""A table in object storage whose server fails, before or after it did what it was asked: each row is there once."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import polars as pl
import pytest

from s3 import Server, serving
from store.rows import batch
from store.s3_trouble import RESET, BadDay, Trouble, having
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import TransientError
from tailrace.store.compact import compact
from tailrace.store.table import LogTable
from tailrace.store.vacuum import vacuum
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NUMBER = count()
COMMIT = re.compile(r"/_delta_log/\d{20}\.json$")
TRIES_S = 120.0
TROUBLES = 3  # in a row: more than the library hides by trying again


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@dataclass
class World:
    """A table, behind a server that can have a bad day."""

    day: BadDay
    url: str
    data: Path

    def table(self, name: str = "one") -> LogTable:
        return LogTable.open(self.data / name, create=True, url=self.url)

    def lines(self) -> list[str]:
        """Return what a program that saw nothing of the trouble finds."""
        self.day.trouble = lambda *_: None
        table = self.table(f"reader-{next(NUMBER)}")
        assert verify(table).faults == ()
        return read(table)


@pytest.fixture
def world(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    bucket = server.bucket(f"day-{next(NUMBER)}")
    monkeypatch.setattr("tailrace.store.bucket.RETRIES", 1)
    with having(BadDay(server.endpoint)) as day:
        for name, value in (bucket.environment | {"AWS_ENDPOINT_URL": day.endpoint}).items():
            monkeypatch.setenv(name, value)
        yield World(day, f"{bucket.url}/t", tmp_path)


def read(table: LogTable) -> list[str]:
    engine = PolarsEngine()
    return sorted(engine.collect(engine.scan(table.snapshot().segments(0, 2**62), {"_line": pl.String()}))["_line"])


def patiently(action: Callable[[], object]) -> None:
    """Try as the sink does: the same call again, as long as it says that this helps."""
    deadline_s = time.monotonic() + TRIES_S
    while True:
        try:
            action()
        except TransientError:
            assert time.monotonic() < deadline_s
        else:
            return


@pytest.mark.parametrize("done", [False, True], ids=["undone", "done"])
@pytest.mark.parametrize("status", [500, 503, 412, RESET])
def test_a_commit_whose_answer_is_wrong(world: World, status: int, done: bool) -> None:
    """Of rows with a position and of pushed ones, which nothing but the commit itself tells apart."""
    table, left = world.table(), [0]
    patiently(lambda: table.commit([batch(["a"], "a", 0)]))

    def trouble(method: str, path: str) -> Trouble | None:
        if method != "PUT" or not COMMIT.search(path) or not left[0]:
            return None
        left[0] -= 1
        return Trouble(status, done)

    for sent in ([batch(["pushed"])], [batch(["b"], "a", 1), batch(["both"])]):
        left[0], world.day.trouble = TROUBLES, trouble
        patiently(lambda sent=sent: table.commit(sent))
    assert world.day.seen[status] > 0
    assert world.lines() == ["a", "b", "both", "pushed"]


def test_two_writers_and_a_keeper_on_a_bad_day(world: World) -> None:
    """Any request may fail, in any way, done or not, and listings are slow; they take turns in one process."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    tables = [world.table(name) for name in ("one", "two", "keeper")]

    def trouble(method: str, path: str) -> Trouble | None:
        if "list-type" in path:
            time.sleep(0.02)
        if chance.random() > 0.15:
            return None
        conditional = method == "PUT" and COMMIT.search(path)
        status = chance.choice((500, 503, RESET, 412) if conditional else (500, 503, RESET))
        return Trouble(status, done=chance.random() < 0.5)

    world.day.trouble = trouble
    sent: list[str] = []
    for number in range(6):
        for name, table in zip("ab", tables, strict=False):
            texts = [f"{name} {number}", f"{name} {number} pushed"]
            group = [batch(texts[:1], name, number), batch(texts[1:])]
            patiently(lambda table=table, group=group: table.commit(group))
            sent += texts
        if number % 3 == 2:
            patiently(lambda: (compact(tables[2], everything=True), vacuum(tables[2])))
    try:
        assert world.lines() == sorted(sent)
    except BaseException as failure:
        failure.add_note(f"seed {seed}: {dict(Counter(world.day.seen))}")
        raise
