"""A data folder with file events in `logs`, for the tests of the twin."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl
import uvicorn
from fastapi import FastAPI

from tailrace.batch import Batch, Position, stream_text
from tailrace.clock import ManualClock
from tailrace.ecs import COLUMNS
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import TailraceError
from tailrace.store.table import LogTable
from tailrace.twin.reading import Twin
from tailrace.web import files_api
from tailrace.web.refusals import refuse
from tailrace.web.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS

Event = dict[str, Any]


def event(action: str, path: str, second: float = 0, **file: object) -> Event:
    """Return an event; `file` has columns of `ecs` without `file_`, or with their whole name."""
    named = {name if name in COLUMNS else f"file_{name}": value for name, value in file.items()}
    return {"event_action": action, "file_path": path, "second": second, **named}


def made(action: str, path: str, second: float = 0, **file: object) -> Event:
    """Return an event of a regular file of ten bytes with an inode of its own."""
    known = {"type": "file", "size": 10, "allocated": 4096, "links": 1, "inode": path, "device": "d", "owner": "ann"}
    return event(action, path, second, **{**known, **file})


def folder(action: str, path: str, second: float = 0, **file: object) -> Event:
    """Return an event of a directory of 4096 bytes."""
    return made(action, path, second, **{"type": "dir", "size": 4096, "links": 2, **file})


class World:
    """A data folder, a clock that stands still, and the twin over both."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clock = ManualClock(START_NS)
        self.logs = LogTable.open(data, create=True)
        self.twin = Twin(self.logs, PolarsEngine(), self.clock)
        self._sequence = 0
        self._batches = 0

    def happen(self, *events: Event, host: str = "web-1", numbered: bool = True) -> None:
        """Store events as one commit of `logs`."""
        rows = []
        for one in events:
            self._sequence += 1
            time_ns = START_NS + round(one.pop("second") * NS)
            rows.append({"_time_ns": time_ns, "_observed_ns": time_ns, "_offset": self._sequence, **one})
            if numbered:
                rows[-1].setdefault("event_sequence", self._sequence)
        text = stream_text({"host": host, "source": "file_events"})
        types = {"_time_ns": pl.Int64(), "_observed_ns": pl.Int64(), "_offset": pl.Int64(), **COLUMNS}
        names = list(dict.fromkeys(name for row in rows for name in row))
        frame = pl.DataFrame(rows, schema={name: types[name] for name in names})
        frame = frame.with_columns(_stream=pl.lit(text), _line=pl.col("event_action"))
        self._batches += 1
        self.logs.commit([Batch(frame, "files", len(rows), 0, Position("test", self._batches))])

    def others(self, count: int = 1) -> None:
        """Store lines that are no file events, in a commit each."""
        for _ in range(count):
            self._batches += 1
            row = {
                "_time_ns": [START_NS],
                "_observed_ns": [START_NS],
                "_stream": ['{host="web-1"}'],
                "_line": ["hello"],
            }
            self.logs.commit([Batch(pl.DataFrame(row), "lines", 1, 6, Position("test", self._batches))])

    def paths(self, top: str = "/") -> list[str]:
        """Return the living paths as of now."""
        return sorted(self.twin.now().rows(None, top).collect()["path"])


def short(frame: pl.DataFrame, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return some columns as rows."""
    return frame.select(columns).rows()


@contextmanager
def served(twin: Twin) -> Iterator[httpx.Client]:
    """Serve the twin's endpoints on a free port of this machine, as a server does."""
    app, work = FastAPI(), Work()
    app.include_router(files_api.routes(twin, work))

    async def failed(request: Any, error: Exception) -> Any:
        return refuse(request, error)

    app.add_exception_handler(TailraceError, failed)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with httpx.Client(base_url=address, timeout=20, trust_env=False) as client:
        yield client
    server.should_exit = True
    thread.join(10)
    listener.close()
    work.close()
