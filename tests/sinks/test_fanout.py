"""Several sinks behind one: paces, crashes, stops."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from store.rows import batch
from tailrace.batch import Position
from tailrace.clock import SystemClock
from tailrace.errors import OutOfTurnError, TableError, TransientError
from tailrace.patience import Patience
from tailrace.sinks.fanout import Fanout
from tailrace.sinks.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tailrace.batch import Batch

WAIT_S = 60.0


class Memory:
    """A sink that remembers what it got, also when it is used by the next process; closed it delivers nothing."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.numbers: dict[str, int] = {}
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self._pending: list[tuple[Batch, Future[None]]] = []
        self._lock = threading.Lock()

    def submit(self, batch: Batch) -> Future[None]:
        done: Future[None] = Future()
        with self._lock:
            self._pending.append((batch, done))
        if self.open.is_set():
            self.flush()
        return done

    def flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
            for batch, done in pending:
                if self.error is not None:
                    done.set_exception(self.error)
                    continue
                position = batch.position
                if position is None or position.number > self.numbers.get(position.agent, -1):
                    self.lines += batch.frame["_line"].to_list()
                    if position is not None:
                        self.numbers[position.agent] = position.number
                done.set_result(None)

    def last_number(self, agent: str) -> int | None:
        return self.numbers.get(agent)

    def close(self) -> None:
        with self._lock:
            for _, done in self._pending:
                done.set_exception(TransientError("closed"))
            self._pending = []


@contextmanager
def fanout(
    tmp_path: Path, table: Memory | None, *others: Memory, limit: int = 1 << 30, patience=None
) -> Iterator[Fanout]:
    named = {f"sink-{number}": one for number, one in enumerate(others)}
    made = Fanout(table, named, Spool(tmp_path), limit_bytes=limit, patience=patience or Patience(SystemClock()))
    try:
        yield made
    finally:
        made.close()


def until(condition) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "this did not come true"
        time.sleep(0.002)


def test_every_sink_gets_every_batch_in_order_and_the_spool_is_empty_then(tmp_path: Path) -> None:
    table, one, two = Memory(), Memory(), Memory()
    with fanout(tmp_path, table, one, two) as sink:
        for number in range(10):
            sink.submit(batch([str(number)], "a", number)).result(WAIT_S)
        until(lambda: not list(tmp_path.glob("*.batch")))
        assert sink.last_number("a") == 9
    assert table.lines == one.lines == two.lines == [str(number) for number in range(10)]


def test_a_receiver_that_is_away_stops_nobody_else(tmp_path: Path) -> None:
    table, away, there = Memory(), Memory(), Memory()
    away.open.clear()
    with fanout(tmp_path, table, away, there) as sink:
        for number in range(5):
            sink.submit(batch([str(number)], "a", number)).result(WAIT_S)
        until(lambda: len(there.lines) == 5)
        assert (len(table.lines), away.lines) == (5, [])
        until(lambda: sink.waiting()["sink-1"] == 0)
        assert sink.waiting()["sink-0"] == sum(path.stat().st_size for path in tmp_path.glob("*.batch")) > 0
        away.open.set()
        away.flush()
        until(lambda: len(away.lines) == 5)


def test_a_batch_is_durable_only_when_the_table_has_it(tmp_path: Path) -> None:
    table, other = Memory(), Memory()
    table.open.clear()
    with fanout(tmp_path, table, other) as sink:
        done = sink.submit(batch(["x"], "a", 0))
        until(lambda: other.lines == ["x"])
        assert not done.done()
        table.flush()
        done.result(WAIT_S)


def test_after_a_crash_each_sink_gets_what_it_lacks_and_nothing_twice(tmp_path: Path) -> None:
    table, fast, slow = Memory(), Memory(), Memory()
    slow.open.clear()
    with fanout(tmp_path, table, fast, slow) as sink:
        for number in range(3):
            sink.submit(batch([str(number)], "a", number)).result(WAIT_S)
        until(lambda: len(fast.lines) == 3)
        table.open.clear()
        sink.submit(batch(["3"], "a", 3))  # is in the spool, and nowhere else
        until(lambda: len(fast.lines) == 4)
    assert (len(table.lines), len(slow.lines)) == (3, 0)
    table.open.set()
    slow.open.set()
    with fanout(tmp_path, table, fast, slow) as sink:
        assert sink.last_number("a") == 3  # so the agent goes on behind it
        sink.submit(batch(["4"], "a", 4)).result(WAIT_S)
        until(lambda: not list(tmp_path.glob("*.batch")))
    assert table.lines == fast.lines == slow.lines == ["0", "1", "2", "3", "4"]


def test_a_pushed_batch_goes_on_when_the_table_has_it_and_is_acknowledged_then(tmp_path: Path) -> None:
    table, other = Memory(), Memory()
    table.open.clear()
    with fanout(tmp_path, table, other) as sink:
        done = sink.submit(batch(["x"]))
        assert (done.done(), other.lines, list(tmp_path.glob("*.batch"))) == (False, [], [])
        table.flush()
        done.result(WAIT_S)
        until(lambda: other.lines == ["x"])
        lost = sink.submit(batch(["y"]))
    assert isinstance(lost.exception(WAIT_S), TransientError)  # it was never stored, so its sender repeats it
    table.open.set()
    with fanout(tmp_path, table, other) as sink:
        sink.submit(batch(["y"])).result(WAIT_S)
        until(lambda: not list(tmp_path.glob("*.batch")))
    assert table.lines == other.lines == ["x", "y"]


def test_a_pushed_batch_that_the_table_refuses_goes_nowhere(tmp_path: Path) -> None:
    table, other = Memory(), Memory()
    with fanout(tmp_path, table, other) as sink:
        table.error = OutOfTurnError("far", 5, 3, 2)
        early = batch(["early"], "far", 5)
        early = replace(early, position=Position("far", 5, 3))
        with pytest.raises(OutOfTurnError):
            sink.submit(early).result(WAIT_S)
        table.error = None
        sink.submit(replace(early, position=Position("far", 5, 2))).result(WAIT_S)
        until(lambda: other.lines == ["early"])
    assert table.lines == ["early"]


def test_what_others_lack_of_pushed_batches_is_not_stored_again(tmp_path: Path) -> None:
    table, away = Memory(), Memory()
    away.open.clear()
    with fanout(tmp_path, table, away) as sink:
        sink.submit(batch(["x"])).result(WAIT_S)
        sink.submit(replace(batch(["y"]), position=Position("far", 0, -1))).result(WAIT_S)
    away.open.set()
    with fanout(tmp_path, table, away) as sink:
        sink.submit(batch(["z"], "a", 0)).result(WAIT_S)
        until(lambda: not list(tmp_path.glob("*.batch")))
    assert sorted(table.lines) == sorted(away.lines) == ["x", "y", "z"]


def test_a_full_spool_makes_submit_wait_until_a_sink_has_caught_up(tmp_path: Path) -> None:
    slow = Memory()
    slow.open.clear()
    with fanout(tmp_path, None, slow, limit=4_000) as sink:
        taken = 0
        done = threading.Event()

        def submit() -> None:
            nonlocal taken
            for number in range(20):
                sink.submit(batch(["x" * 50], "a", number)).result(WAIT_S)
                taken += 1
            done.set()

        thread = threading.Thread(target=submit, daemon=True)
        thread.start()
        until(lambda: sum(path.stat().st_size for path in tmp_path.glob("*.batch")) > 4_000)
        assert not done.wait(0.3)
        before = taken
        assert 0 < before < 20
        slow.open.set()
        slow.flush()
        assert done.wait(WAIT_S)
        thread.join(WAIT_S)
        until(lambda: slow.numbers == {"a": 19})


def test_while_the_spool_is_full_pushed_batches_are_refused_before_they_are_stored(tmp_path: Path) -> None:
    table, away = Memory(), Memory()
    away.open.clear()
    with fanout(tmp_path, table, away, limit=1) as sink:
        sink.submit(batch(["x"])).result(WAIT_S)
        with pytest.raises(TransientError, match="later"):
            sink.submit(batch(["y"]))
        assert table.lines == ["x"]
        away.open.set()
        away.flush()
        until(lambda: not list(tmp_path.glob("*.batch")))
        sink.submit(batch(["y"])).result(WAIT_S)


def test_a_stop_waits_for_no_receiver(tmp_path: Path) -> None:
    slow, patience = Memory(), Patience(SystemClock())
    slow.open.clear()
    with fanout(tmp_path, None, slow, limit=1, patience=patience) as sink:
        sink.submit(batch(["0"], "a", 0)).result(WAIT_S)
        patience.hurry()
        sink.submit(batch(["1"], "a", 1)).result(WAIT_S)  # over the bound: the agent is at its last batches
    assert [entry.position.number for entry in Spool(tmp_path).entries] == [0, 1]
    with pytest.raises(TransientError):
        sink.submit(batch(["2"], "a", 2))


def test_what_the_agent_goes_on_from_is_in_the_spool_the_table_or_without_one_in_a_sink(tmp_path: Path) -> None:
    table, other = Memory(), Memory()
    table.numbers, other.numbers = {"a": 4}, {"a": 9}
    with fanout(tmp_path, table, other) as sink:
        assert sink.last_number("a") == 4  # a table that was made anew is filled again
    with fanout(tmp_path, None, other) as sink:
        assert (sink.last_number("a"), sink.last_number("b")) == (9, None)


def test_a_bug_of_a_sink_is_heard_by_whoever_submits(tmp_path: Path) -> None:
    bad = Memory()
    bad.error = ValueError("a bug")
    with fanout(tmp_path, None, bad) as sink:
        sink.submit(batch(["0"], "a", 0)).result(WAIT_S)
        until(lambda: sink._broken is not None)
        with pytest.raises(ValueError, match="a bug"):
            sink.submit(batch(["1"], "a", 1))


def test_a_table_that_fails_fails_the_batch(tmp_path: Path) -> None:
    table, other = Memory(), Memory()
    table.error = TableError("gone")
    with fanout(tmp_path, table, other) as sink:
        with pytest.raises(TableError):
            sink.submit(batch(["0"], "a", 0)).result(WAIT_S)
        until(lambda: other.lines == ["0"])
    assert [entry.position.number for entry in Spool(tmp_path).entries] == [0]


def test_a_file_that_is_damaged_under_way_is_kept_for_people(tmp_path: Path, caplog) -> None:
    spool, one, two = Spool(tmp_path), Memory(), Memory()
    bad = spool.put(batch(["x"], "a", 0))
    spool.put(batch(["y"], "a", 1))
    bad.held = None
    damaged = bad.path.read_bytes()[:-20]
    bad.path.write_bytes(damaged)
    sink = Fanout(None, {"one": one, "two": two}, spool, limit_bytes=1 << 30, patience=Patience(SystemClock()))
    until(lambda: not list(tmp_path.glob("*.batch")))
    sink.close()
    assert one.lines == two.lines == ["y"]
    assert bad.path.with_suffix(".broken").read_bytes() == damaged
    assert "one goes on without a batch" in caplog.text


def test_a_file_that_cannot_be_read_now_is_read_later(tmp_path: Path, caplog) -> None:
    spool, one = Spool(tmp_path), Memory()
    entry = spool.put(batch(["x"], "a", 0))
    entry.held = None
    kept = entry.path.rename(tmp_path / "kept")
    entry.path.symlink_to(entry.path)  # which leads nowhere
    sink = Fanout(None, {"one": one}, spool, limit_bytes=1 << 30, patience=Patience(SystemClock()))
    until(lambda: "trying again" in caplog.text)
    kept.replace(entry.path)
    until(lambda: one.lines == ["x"])
    sink.close()
