"""The store sink over a table that does what the test says: grouping, retries, refusals."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from store.rows import batch, lines
from tailrace import limits
from tailrace.batch import Position
from tailrace.clock import ManualClock, SystemClock
from tailrace.errors import OutOfTurnError, TableError, TransientError
from tailrace.patience import Patience
from tailrace.sinks.store import PATIENCE_S, StoreSink
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from tailrace.batch import Batch


@dataclass(frozen=True)
class Interval:
    commit_interval_s: float = 1.0
    retry_s: float | None = None


@dataclass
class Ledger:
    """A table that writes down what it is asked for; `failures` are raised one by one, `gate` holds commits back."""

    groups: list[list[str]] = field(default_factory=list)
    durable: list[str] = field(default_factory=list)
    commit_failures: list[Exception] = field(default_factory=list)
    sync_failures: list[Exception] = field(default_factory=list)
    poison: str | None = None
    always: Exception | None = None
    entered: threading.Event = field(default_factory=threading.Event)
    gate: threading.Event = field(default_factory=threading.Event)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def commit(self, batches: Sequence[Batch]) -> None:
        self.attempts += 1
        self.entered.set()
        assert self.gate.wait(30)
        if self.always:
            raise self.always
        if self.commit_failures:
            raise self.commit_failures.pop(0)
        texts = [text for one in batches for text in one.frame["_line"].to_list()]
        if self.poison in texts:
            raise ZeroDivisionError("a bug")
        self.groups.append(texts)

    def sync(self) -> None:
        if self.sync_failures:
            raise self.sync_failures.pop(0)
        self.durable = [text for group in self.groups for text in group]

    def last_number(self, agent: str) -> int | None:
        return {"a": 4}.get(agent)


class PacedClock(ManualClock):
    """Stands still; a wait blocks until the event is set or the test lets time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.waiting = threading.Event()
        self.go = threading.Event()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.waiting.set()
        while not event.is_set() and not self.go.is_set():
            event.wait(0.001)
        if self.go.is_set():
            self.go.clear()
            self.advance(timeout_s)
        return event.is_set()


def test_after_a_quiet_time_the_first_batch_does_not_wait_and_the_next_ones_share_a_commit() -> None:
    table, clock = Ledger(), PacedClock()
    sink = StoreSink(table, clock=clock, settings=Interval(10.0))
    sink.submit(batch(["first"], "a", 0)).result(30)
    assert clock.waits == []
    later = [sink.submit(batch([text], "a", number)) for number, text in ((1, "second"), (2, "third"), (3, "fourth"))]
    assert clock.waiting.wait(30)
    assert not any(future.done() for future in later)
    while sink._waiting:
        threading.Event().wait(0.001)
    clock.go.set()
    for future in later:
        future.result(30)
    assert table.groups == [["first"], ["second", "third", "fourth"]]
    assert 0 < clock.waits[0] <= 10.0
    sink.close()


def test_a_large_group_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    table, clock = Ledger(), PacedClock()
    sink = StoreSink(table, clock=clock, settings=Interval(10.0))
    sink.submit(batch(["first"])).result(30)
    big = batch(["x"])
    big = type(big)(big.frame, big.source, 1, limits.COMMIT_BYTES)
    sink.submit(big).result(30)
    assert table.groups == [["first"], ["x"]]
    sink.close()


def test_a_full_queue_holds_the_sender_back() -> None:
    table = Ledger()
    table.gate.clear()
    sink = StoreSink(table, clock=ManualClock(), settings=Interval())
    sink.submit(batch(["0"]))
    assert table.entered.wait(30)
    for number in range(limits.COMMIT_QUEUE):
        sink.submit(batch([str(number + 1)]))
    sent = threading.Event()

    def send() -> None:
        sink.submit(batch(["late"]))
        sent.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert not sent.wait(0.05)
    table.gate.set()
    assert sent.wait(30)
    sender.join()
    sink.close()
    assert table.durable == [*map(str, range(limits.COMMIT_QUEUE + 1)), "late"]


def test_a_full_disk_heals() -> None:
    table, clock = Ledger(commit_failures=[TransientError("full")] * 50), ManualClock()
    sink = StoreSink(table, clock=clock, settings=Interval())
    started = clock.monotonic_s()
    sink.submit(batch(["one"], "a", 0)).result(30)
    assert table.durable == ["one"]
    assert table.attempts == 51
    assert 50 * 0.05 < clock.monotonic_s() - started < 50 * 10.0
    sink.close()


def test_nothing_is_committed_twice_when_only_the_fsync_fails() -> None:
    table = Ledger(sync_failures=[TransientError("io")] * 3)
    sink = StoreSink(table, clock=ManualClock(), settings=Interval())
    sink.submit(batch(["pushed"])).result(30)
    assert table.groups == [["pushed"]]
    sink.close()


def test_a_pushed_batch_is_given_back_in_time_and_a_positioned_one_is_kept() -> None:
    table, clock = Ledger(), PacedClock()
    sink = StoreSink(table, clock=clock, settings=Interval(10.0))
    sink.submit(batch(["first"])).result(30)
    table.commit_failures = [TransientError("full")] * 40
    pushed, kept = sink.submit(batch(["pushed"])), sink.submit(batch(["kept"], "b", 1))
    started = clock.monotonic_s()
    while not kept.done():
        clock.go.set()
        threading.Event().wait(0.001)
    with pytest.raises(TransientError, match="full"):
        pushed.result(30)
    assert clock.monotonic_s() - started >= PATIENCE_S
    assert table.durable == ["first", "kept"]
    sink.close()


def test_close_gives_up_on_a_disk_that_stays_full() -> None:
    table = Ledger(always=TransientError("full"))
    table.gate.clear()
    sink = StoreSink(table, clock=ManualClock(), settings=Interval())
    future = sink.submit(batch(["one"], "a", 0))
    assert table.entered.wait(30)
    closer = threading.Thread(target=sink.close)
    closer.start()
    table.gate.set()
    with pytest.raises(TransientError, match="full"):
        future.result(30)
    closer.join()


def test_hurry_frees_senders_that_wait_for_a_full_disk() -> None:
    table = Ledger(always=TransientError("full"))
    patience = Patience(SystemClock())
    sink = StoreSink(table, clock=SystemClock(), settings=Interval(), patience=patience)
    futures = [sink.submit(batch(["0"], "a", 0))]
    assert table.entered.wait(30)
    futures += [sink.submit(batch([str(number)], "a", number)) for number in range(1, limits.COMMIT_QUEUE + 1)]
    sender = threading.Thread(target=lambda: futures.append(sink.submit(batch(["late"], "a", 99))))
    sender.start()
    patience.hurry()
    sender.join(30)
    assert not sender.is_alive()
    for future in futures:
        with pytest.raises(TransientError, match="full"):
            future.result(30)
    sink.close()


def test_a_limit_ends_the_attempts() -> None:
    table, clock = Ledger(always=TransientError("full")), ManualClock()
    sink = StoreSink(table, clock=clock, settings=Interval(retry_s=30.0))
    with pytest.raises(TransientError, match="full"):
        sink.submit(batch(["one"], "a", 0)).result(30)
    assert 30.0 <= clock.monotonic_s() <= 40.0
    sink.close()


def test_a_table_that_cannot_be_written_fails_the_batch_and_all_that_follow_it_from_its_agent() -> None:
    table = Ledger(commit_failures=[TableError("read-only")])
    sink = StoreSink(table, clock=ManualClock(), settings=Interval())
    with pytest.raises(TableError, match="read-only"):
        sink.submit(batch(["one"], "a", 0)).result(30)
    with pytest.raises(TableError, match="read-only"):
        sink.submit(batch(["two"], "a", 1)).result(30)
    sink.submit(batch(["other"], "b", 0)).result(30)
    assert table.groups == [["other"]]
    sink.close()


def test_a_bug_in_one_batch_fails_that_batch_alone() -> None:
    table, clock = Ledger(poison="poison"), PacedClock()
    sink = StoreSink(table, clock=clock, settings=Interval(10.0))
    sink.submit(batch(["first"])).result(30)
    good, bad = sink.submit(batch(["good"])), sink.submit(batch(["poison"]))
    while sink._waiting:
        threading.Event().wait(0.001)
    clock.go.set()
    good.result(30)
    with pytest.raises(ZeroDivisionError):
        bad.result(30)
    assert table.durable == ["first", "good"]
    sink.close()


def test_batches_out_of_turn_are_refused_and_the_others_still_share_one_commit(tmp_path: Path) -> None:
    table, clock = LogTable.open(tmp_path, create=True), PacedClock()
    sink = StoreSink(table, clock=clock, settings=Interval(10.0))

    def numbered(line: str, agent: str, number: int, after: int) -> Future[None]:
        return sink.submit(replace(batch([line]), position=Position(agent, number, after)))

    numbered("a0", "a", 0, -1).result(30)
    before = table.snapshot().version
    good = [numbered("b0", "b", 0, -1), numbered("a1", "a", 1, 0), numbered("c0", "c", 0, -1)]
    early = [numbered("a3", "a", 3, 2), numbered("d5", "d", 5, 4)]
    good.append(numbered("a2", "a", 2, 1))
    while sink._waiting:
        threading.Event().wait(0.001)
    clock.go.set()
    assert [one.result(30) for one in good] == [None] * 4
    assert [type(one.exception(30)) for one in early] == [OutOfTurnError] * 2
    assert lines(table) == ["a0", "a1", "a2", "b0", "c0"]
    assert table.snapshot().version == before + 1
    sink.close()


def test_a_cancelled_batch_is_not_stored() -> None:
    table, clock = Ledger(), PacedClock()
    sink = StoreSink(table, clock=clock, settings=Interval(10.0))
    sink.submit(batch(["first"])).result(30)
    unwanted = sink.submit(batch(["unwanted"]))
    assert unwanted.cancel()
    sink.close()
    assert table.durable == ["first"]


def test_numbers_are_the_tables() -> None:
    sink = StoreSink(Ledger(), clock=ManualClock(), settings=Interval())
    assert (sink.last_number("a"), sink.last_number("b")) == (4, None)
    sink.close()
