"""What every sink promises (`contracts.Sink`), and what those that send promise beyond, run over each there is."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from postgres import table_lines
from sinks.receivers import (
    POISON,
    Answer,
    Fake,
    FakeElasticsearch,
    FakeLoki,
    FakeOtlp,
    around,
    consumed,
    file_lines,
    mock_kafka,
    serving,
    serving_grpc,
)
from sinks.ship.fake_server import FakeServer
from sinks.ship.fake_server import serving as serving_ship
from store.rows import START_NS, batch, lines
from tailrace.clock import SystemClock
from tailrace.database_url import DatabaseUrl
from tailrace.errors import TransientError
from tailrace.patience import Patience
from tailrace.registry import find
from tailrace.sinks.elasticsearch.settings import ElasticsearchSettings
from tailrace.sinks.file.settings import FileSettings
from tailrace.sinks.kafka.settings import KafkaSettings
from tailrace.sinks.loki.settings import LokiSettings
from tailrace.sinks.otlp.settings import OtlpSettings
from tailrace.sinks.postgres.settings import PostgresSettings
from tailrace.sinks.ship.settings import ShipSettings
from tailrace.sinks.store import StoreSink
from tailrace.store.settings import StoreSettings
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tailrace.contracts import Sink

WAIT_S = 60.0
ALL = (
    "store",
    "postgres",
    "elasticsearch",
    "loki",
    "otlp-http",
    "otlp-grpc",
    "kafka",
    "file-json",
    "file-parquet",
    "ship",
)
SENDING = ("elasticsearch", "loki", "otlp-http", "otlp-grpc")  # to a fake that can be told to fail
KEEPING = ("postgres", "elasticsearch", "loki", "otlp-http", "otlp-grpc", "kafka", "file-json", "file-parquet")
EXACT = ("postgres", "elasticsearch", "file-json", "file-parquet")  # also when a crash comes before the note


@dataclass
class Bench:
    """One kind of sink with its receiver; made anew by `make`, as after a crash."""

    data: Path
    make: Callable[[], Sink]
    read: Callable[[int], list[str]]  # what the receiver has; waits for so many where it must
    fake: Fake | None = None
    whole: bool = False  # whether what is written can be read only when the sink is closed

    def close(self, sink: Sink) -> None:
        sink.close()


def _bench(kind: str, tmp_path: Path, stack: ExitStack, database: Callable[[], str], **more) -> Bench:
    data = tmp_path / "data"
    if kind == "postgres":
        url = DatabaseUrl(database())
        settings = PostgresSettings(name="test", url=url, days=None, **more)  # the rows are of long ago
        return Bench(data, _maker("postgres", settings, data), lambda _: table_lines(url.address()))
    if kind == "store":
        table = LogTable.open(data, create=True)
        settings = StoreSettings(commit_interval_s=0.01)
        made = lambda: StoreSink(table, clock=SystemClock(), settings=settings)  # noqa: E731
        return Bench(data, made, lambda _: lines(LogTable.open(data)))
    if kind.startswith("file"):
        folder = tmp_path / "out"
        settings = FileSettings(name="test", path=folder, format=kind.removeprefix("file-"), **more)
        return Bench(data, _maker("file", settings, data), lambda _: file_lines(folder), whole=kind == "file-parquet")
    if kind == "kafka":
        brokers = stack.enter_context(mock_kafka("rows"))
        settings = KafkaSettings(name="test", brokers=brokers.split(","), topic="rows", **more)
        read = lambda count: [m.value() and _line(m.value()) for m in consumed(brokers, "rows", count)]  # noqa: E731
        return Bench(data, _maker("kafka", settings, data), read)
    if kind == "ship":
        server = stack.enter_context(serving_ship(FakeServer()))
        settings = ShipSettings(name="test", servers=(server.address,), **more)
        return Bench(data, _maker("ship", settings, data), lambda _: server.rows.lines)
    fake = {"elasticsearch": FakeElasticsearch, "loki": FakeLoki}.get(kind, FakeOtlp)()
    stack.enter_context(serving_grpc(fake) if kind == "otlp-grpc" else serving(fake))
    if kind == "elasticsearch":
        settings = ElasticsearchSettings(name="test", url=fake.url, **more)
    elif kind == "loki":
        settings = LokiSettings(name="test", url=fake.url, **more)
    else:
        settings = OtlpSettings(name="test", url=fake.url, protocol=kind.removeprefix("otlp-"), **more)
    return Bench(data, _maker(settings.type, settings, data), lambda _: fake.lines(), fake)


def _maker(kind: str, settings, data: Path) -> Callable[[], Sink]:
    return lambda: find("sink", kind)(settings, around(data))


def _line(value: bytes) -> str:
    import json

    return json.loads(value)["line"]


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield _bench(request.param, tmp_path, stack, lambda: request.getfixturevalue("database"))


@pytest.fixture
def small(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """The same, with requests of at most ten rows and a queue of a MiB."""
    with ExitStack() as stack:
        yield _bench(
            request.param,
            tmp_path,
            stack,
            lambda: request.getfixturevalue("database"),
            batch_rows=10,
            queue_bytes=1 << 20,
        )


every = pytest.mark.parametrize("bench", ALL, indirect=True)
sending = pytest.mark.parametrize("small", SENDING, indirect=True)


# --- what every sink promises -----------------------------------------------------------------------


@every
def test_a_completed_future_means_that_the_rows_are_there(bench: Bench) -> None:
    sink = bench.make()
    sink.submit(batch(["one", "two"], "a", 0)).result(WAIT_S)
    if bench.whole:
        sink.close()
    assert bench.read(2) == ["one", "two"]
    sink.close()


@every
def test_numbers_are_remembered_per_agent_also_by_the_next_process(bench: Bench) -> None:
    sink = bench.make()
    assert sink.last_number("a") is None
    sink.submit(batch(["one"], "a", 3)).result(WAIT_S)
    sink.submit(batch(["two"], "b", 9)).result(WAIT_S)
    assert (sink.last_number("a"), sink.last_number("b"), sink.last_number("c")) == (3, 9, None)
    sink.close()
    again = bench.make()
    assert (again.last_number("a"), again.last_number("b"), again.last_number("c")) == (3, 9, None)
    again.close()


@every
def test_a_known_position_completes_without_being_delivered_again(bench: Bench) -> None:
    sink = bench.make()
    for number, text in ((0, "first"), (1, "second"), (0, "first"), (1, "second"), (2, "third")):
        sink.submit(batch([text], "a", number)).result(WAIT_S)
    sink.close()
    assert sorted(bench.read(3)) == ["first", "second", "third"]


@every
def test_batches_without_a_position_are_all_delivered(bench: Bench) -> None:
    sink = bench.make()
    for _ in range(3):
        sink.submit(batch(["same"])).result(WAIT_S)
    sink.close()
    assert bench.read(3) == ["same"] * 3


@every
def test_an_empty_batch_moves_the_number(bench: Bench) -> None:
    sink = bench.make()
    sink.submit(batch([], "a", 5)).result(WAIT_S)
    assert sink.last_number("a") == 5
    sink.close()
    assert bench.read(0) == []


@every
def test_rows_and_futures_keep_the_order_of_submission(bench: Bench) -> None:
    sink = bench.make()
    completed: list[int] = []
    sent = []
    for number in range(20):
        future = sink.submit(batch([f"line {number:02}"], "a", number, start_ns=1_700_000_000_000_000_000 + number))
        future.add_done_callback(lambda _, number=number: completed.append(number))
        sent.append(future)
    for future in sent:
        future.result(WAIT_S)
    sink.close()
    assert completed == list(range(20))
    assert bench.read(20) == [f"line {number:02}" for number in range(20)]


@every
def test_many_threads_may_submit(bench: Bench) -> None:
    sink = bench.make()
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(lambda n=n: sink.submit(batch([f"line {n:03}"])).result(WAIT_S)) for n in range(40)]
        for job in jobs:
            job.result(WAIT_S)
    sink.close()
    assert sorted(bench.read(40)) == [f"line {n:03}" for n in range(40)]


@every
def test_close_finishes_what_was_taken_and_refuses_more(bench: Bench) -> None:
    sink = bench.make()
    sent = [sink.submit(batch([f"line {number}"], "a", number)) for number in range(5)]
    sink.close()
    assert all(future.done() and future.exception() is None for future in sent)
    assert len(bench.read(5)) == 5
    with pytest.raises(TransientError):
        sink.submit(batch(["late"], "a", 5))


# --- what those that send promise -------------------------------------------------------------------


@pytest.mark.parametrize("bench", KEEPING, indirect=True)
def test_a_crash_before_the_note_repeats_at_most_what_was_on_its_way(bench: Bench, request, tmp_path: Path) -> None:
    kind, sink = request.node.callspec.params["bench"], bench.make()
    sink.submit(batch(["before"], "a", 0)).result(WAIT_S)
    state, kept = bench.data / "sinks", tmp_path / "kept"
    state.mkdir(parents=True, exist_ok=True)
    shutil.copytree(state, kept)
    sink.submit(batch(["one", "two"], "a", 1)).result(WAIT_S)
    crash(sink)
    shutil.rmtree(state)
    shutil.copytree(kept, state)  # as if the power went before the number was noted
    again = bench.make()
    assert again.last_number("a") == (1 if kind == "postgres" else 0)  # which needs no note
    again.submit(batch(["one", "two"], "a", 1)).result(WAIT_S)
    again.submit(batch(["after"], "a", 2, start_ns=START_NS + 10_000_000)).result(WAIT_S)
    again.close()
    exact = kind in EXACT
    found = bench.read(4 if exact else 6)
    assert found == (["before", "one", "two", "after"] if exact else ["before", "one", "two", "one", "two", "after"])
    if bench.fake is not None and not exact and hasattr(bench.fake, "records"):
        assert len(set(bench.fake.ids())) == 4  # a receiver that looks at ids can tell


def crash(sink: Sink) -> None:
    """Leave a sink as a killed process would, but for what the system gives back: its lock."""
    journal = getattr(sink._courier, "_journal", None)
    if journal is not None:
        journal.close()
    else:
        sink.close()


@sending
def test_failures_that_pass_are_tried_again_and_nothing_is_lost_or_doubled(small: Bench) -> None:
    small.fake.faults += [Answer(503), None, Answer(429, headers={"Retry-After": "0"}), Answer(500)]
    sink = small.make()
    sink.submit(batch([f"{n:02}" for n in range(25)], "a", 0)).result(WAIT_S)
    assert small.read(25) == [f"{n:02}" for n in range(25)]
    assert sink.counters["retries"] == 4
    sink.close()


@sending
def test_a_poison_row_is_set_aside_with_a_reason_and_the_rest_goes_on(small: Bench) -> None:
    sink = small.make()
    texts = [f"{n:02}" for n in range(25)]
    texts[3] = texts[17] = POISON
    sink.submit(batch(texts, "a", 0, status=list(range(25)))).result(WAIT_S)
    sink.submit(batch(["next"], "a", 1)).result(WAIT_S)
    assert small.read(24) == [text for text in texts if text != POISON] + ["next"]
    (letter,) = sink.dead_letters.letters()
    assert (letter.sink, letter.position.agent, letter.position.number, letter.rows) == ("test", "a", 0, 2)
    frame = letter.frame()
    assert (frame["_row"].to_list(), frame["_line"].to_list(), frame["status"].to_list()) == (
        [3, 17],
        [POISON] * 2,
        [3, 17],
    )
    assert all(reason for reason in frame["_reason"])
    assert sink.counters == {"sent": 24, "refused": 2, "waiting": 0, "retries": 0}
    assert sink.last_number("a") == 1
    sink.close()


@sending
def test_a_slow_receiver_makes_submit_wait(small: Bench) -> None:
    small.fake.open.clear()
    sink = small.make()
    taken = 0
    done = threading.Event()

    def submit() -> None:
        nonlocal taken
        for number in range(8):
            sink.submit(replace(batch(["x"], "a", number), bytes=400_000))
            taken += 1
        done.set()

    thread = threading.Thread(target=submit, daemon=True)
    thread.start()
    until(lambda: taken == 2)  # two are in the queue of a MiB, the third does not fit
    assert not done.wait(0.3)
    assert (taken, sink.counters["waiting"]) == (2, 2)
    small.fake.open.set()
    assert done.wait(WAIT_S)
    sink.close()
    assert len(small.read(8)) == 8


@sending
def test_what_is_not_delivered_at_a_stop_is_not_acknowledged(small: Bench, tmp_path: Path) -> None:
    small.fake.faults += [Answer(503)] * 1_000
    patience = Patience(SystemClock())
    made = small.make()  # only to have the settings
    settings = made._settings
    made.close()
    sink = find("sink", settings.type)(settings, around(small.data, patience=patience))
    sent = [sink.submit(batch([str(number)], "a", number)) for number in range(3)]
    until(lambda: sink.counters["retries"] > 0)
    patience.hurry()
    sink.close()
    assert all(isinstance(future.exception(WAIT_S), TransientError) for future in sent)
    assert sink.last_number("a") is None
    small.fake.faults.clear()
    again = small.make()
    for number in range(3):
        again.submit(batch([str(number)], "a", number)).result(WAIT_S)
    again.close()
    assert small.read(3) == ["0", "1", "2"]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "this did not come true"
        time.sleep(0.005)
