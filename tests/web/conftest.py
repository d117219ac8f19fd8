"""The web parts over a real table in a folder, and over a sink that a test drives."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import polars as pl
import pytest
import uvicorn
from fastapi import FastAPI

from tailrace.batch import Batch, stream_text
from tailrace.clock import ManualClock, SystemClock
from tailrace.contracts import Followed
from tailrace.engines.polars import PolarsEngine
from tailrace.sinks.store import StoreSink
from tailrace.store.settings import StoreSettings
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from tailrace.web.services import Services

NOW_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
S = 1_000_000_000


@dataclass
class FakeSink:
    """Keeps batches; their futures are done at once, never, or with an error, as `outcome` says."""

    outcome: Exception | str = "done"
    batches: list[Batch] = field(default_factory=list)
    futures: list[Future[None]] = field(default_factory=list)

    def submit(self, batch: Batch) -> Future[None]:
        if self.outcome == "refuse":
            from tailrace.errors import TransientError

            raise TransientError("the store is closing")
        future: Future[None] = Future()
        self.batches.append(batch)
        self.futures.append(future)
        if isinstance(self.outcome, Exception):
            future.set_exception(self.outcome)
        elif self.outcome == "done":
            future.set_result(None)
        return future

    def last_number(self, agent: str) -> int | None:
        return None

    def close(self) -> None:
        pass


@dataclass
class House:
    """A table in a folder, with the application over it."""

    table: LogTable
    services: Services
    accounts: Accounts
    clock: ManualClock
    client: httpx.Client
    is_ready: list[bool]

    def store(
        self, *rows: tuple[int, str], level: str | None = None, fields: dict[str, object] | None = None, **labels: str
    ) -> None:
        """Commit lines of one stream: (seconds from now, line)."""
        frame = pl.DataFrame(
            {"_time_ns": [NOW_NS + at for at, _ in rows], "_line": [line for _, line in rows]},
            schema={"_time_ns": pl.Int64, "_line": pl.String},
        ).with_columns(
            _observed_ns=pl.lit(NOW_NS, pl.Int64),
            _stream=pl.lit(stream_text({"service_name": "app", **labels})),
            _level=pl.lit(level, pl.String),
            _offset=pl.Series(range(len(rows)), dtype=pl.Int64),
            **{name: pl.lit(value) for name, value in (fields or {}).items()},
        )
        self.table.commit([Batch(frame, "test", frame.height, 1)])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    yield from _house(tmp_path, None)


@pytest.fixture
def house_with(tmp_path: Path) -> Iterator[Callable[[FakeSink], House]]:
    houses = []

    def build(sink: FakeSink) -> House:
        made = _house(tmp_path, sink)
        houses.append(made)
        return next(made)

    yield build
    for made in houses:
        next(made, None)


@dataclass
class Kept:
    """A house that stays for a file of tests, over a sink that keeps what it is given."""

    house: House
    sink: FakeSink

    @property
    def client(self) -> httpx.Client:
        return self.house.client


@pytest.fixture(scope="module")
def _kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    sink = FakeSink()
    made = _house(tmp_path_factory.mktemp("house"), sink)
    yield Kept(next(made), sink)
    next(made, None)


@pytest.fixture
def kept(_kept: Kept) -> Kept:
    """A house without rows; its application remembers what the tests before sent."""
    _kept.sink.outcome = "done"
    _kept.sink.batches.clear()
    return _kept


def _house(data: Path, sink: FakeSink | None) -> Iterator[House]:
    settings = StoreSettings(commit_interval_s=0.01)
    table = LogTable.open(data, create=True, settings=settings)
    accounts, clock, ready = Accounts(), ManualClock(NOW_NS), [True]
    real = sink or StoreSink(table, clock=SystemClock(), settings=settings)
    followed = [Followed("/var/log/app.log", 10, 20, "following")]
    services = Services(
        table, PolarsEngine(), real, accounts, clock, "box", lambda: followed, NOW_NS - 5 * S, lambda: ready[0]
    )
    with (
        _served(create_app(services)) as address,
        httpx.Client(base_url=address, timeout=20, trust_env=False) as client,
    ):
        yield House(table, services, accounts, clock, client, ready)
        ready[0] = False  # ends live tails
    real.close()


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    """Serve the application on a free port of this machine, as `up` does."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # as the server does it
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=3, ws_ping_interval=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listener.close()


def wait_until(holds: Callable[[], object], timeout_s: float = 10) -> None:
    """Wait for another thread, at most so long."""
    limit = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)
