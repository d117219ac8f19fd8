"""What every sink promises (`contracts.Sink`), run over each sink there is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from store.rows import batch, lines
from tailrace.clock import SystemClock
from tailrace.errors import TransientError
from tailrace.sinks.store import StoreSink
from tailrace.store.settings import StoreSettings
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tailrace.contracts import Sink

Reader = "Callable[[], list[str]]"


@pytest.fixture(params=["store"])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Sink, Callable[[], list[str]]]]:
    """A sink, and a way to read what is durable in it, as another process would."""
    assert request.param == "store"
    table = LogTable.open(tmp_path, create=True)
    made = StoreSink(table, clock=SystemClock(), settings=StoreSettings(commit_interval_s=0.01))
    yield made, lambda: lines(LogTable.open(tmp_path))
    made.close()


def test_a_completed_future_means_that_the_rows_are_there(sink) -> None:
    to, read = sink
    to.submit(batch(["one", "two"], "a", 0)).result(30)
    assert read() == ["one", "two"]


def test_numbers_are_remembered_per_agent(sink) -> None:
    to, _ = sink
    assert to.last_number("a") is None
    to.submit(batch(["one"], "a", 3)).result(30)
    to.submit(batch(["two"], "b", 9)).result(30)
    assert (to.last_number("a"), to.last_number("b"), to.last_number("c")) == (3, 9, None)


def test_a_known_position_completes_without_being_stored_again(sink) -> None:
    to, read = sink
    for number, text in ((0, "first"), (1, "second"), (0, "first"), (1, "second"), (2, "third")):
        to.submit(batch([text], "a", number)).result(30)
    assert sorted(read()) == ["first", "second", "third"]


def test_batches_without_a_position_are_all_stored(sink) -> None:
    to, read = sink
    for _ in range(3):
        to.submit(batch(["same"])).result(30)
    assert read() == ["same"] * 3


def test_an_empty_batch_moves_the_number(sink) -> None:
    to, read = sink
    to.submit(batch([], "a", 5)).result(30)
    assert to.last_number("a") == 5
    assert read() == []


def test_futures_complete_in_the_order_of_submission(sink) -> None:
    to, _ = sink
    completed: list[int] = []
    futures = []
    for number in range(20):
        future = to.submit(batch([f"line {number}"], "a", number))
        future.add_done_callback(lambda _, number=number: completed.append(number))
        futures.append(future)
    for future in futures:
        future.result(30)
    assert completed == list(range(20))


def test_many_threads_may_submit(sink) -> None:
    to, read = sink
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(lambda n=n: to.submit(batch([f"line {n:03}"])).result(30)) for n in range(100)]
        for job in jobs:
            job.result(60)
    assert sorted(read()) == [f"line {n:03}" for n in range(100)]


def test_close_finishes_what_was_taken_and_refuses_more(sink) -> None:
    to, read = sink
    futures = [to.submit(batch([f"line {number}"], "a", number)) for number in range(5)]
    to.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert len(read()) == 5
    with pytest.raises(TransientError):
        to.submit(batch(["late"], "a", 5))
