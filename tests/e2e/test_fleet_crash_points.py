"""A server killed between upload, commit and answer: what its agent sends again is in the table once.

The kill comes from the storage: it knows what the server is about to do, and what is done.
"""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pytest

from e2e.fleet import Program
from e2e.program import free_address, until
from s3 import serving
from store.rows import batch
from store.s3_trouble import RESET, BadDay, Trouble, having
from tailrace.engines.polars import PolarsEngine
from tailrace.shipment import BATCHES, Heading, pack
from tailrace.store.table import LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

START_S = 120.0
SEGMENT, COMMIT = re.compile(r"/logs/_date.*\.parquet$"), re.compile(r"/logs/_delta_log/\d{20}\.json$")
POINTS = ((SEGMENT, True), (COMMIT, False), (COMMIT, True))
"""What the server uploads, and whether that is done, when it dies: segment and commit, the last one before its answer."""


@dataclass
class Death:
    """The end of a server at its next upload of a kind."""

    server: Program
    what: re.Pattern[str]
    done: bool
    due: bool = True

    def __call__(self, method: str, path: str) -> Trouble | None:
        if not self.due or method != "PUT" or not self.what.search(path):
            return None
        self.due = False
        return Trouble(RESET, self.done, self.server.kill)


def ship(address: str, number: int) -> int:
    """Send a batch as an agent does; return the status of the answer, 0 for none."""
    link = http.client.HTTPConnection(address, timeout=START_S)
    try:
        heading = Heading("web-1", number, number - 1, "files", 1, 10)
        link.request("POST", BATCHES, pack(batch([f"line {number}"]).frame), heading.headers())
        return link.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        link.close()


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_a_server_dies_at_each_step_of_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as storage, having(BadDay(storage.endpoint)) as day:
        bucket, address = storage.bucket("crash"), free_address()
        config = {
            "data": str(tmp_path / "server"),
            "table": f"{bucket.url}/t",
            "objects": {"endpoint": day.endpoint, "allow_http": True},
            "listen": address,
        }
        (tmp_path / "server.yaml").write_text(json.dumps(config))
        words = ("server", "--config", str(tmp_path / "server.yaml"))
        server = Program(words, tmp_path / "server.txt", bucket.environment)

        def arrives(number: int) -> None:
            server.start()
            until(lambda: ship(address, number) == 200 or not server.alive(), START_S, "an answer")
            assert server.alive(), server.said()[-3000:]

        try:
            arrives(0)
            for number, (what, done) in enumerate(POINTS, 1):
                day.trouble = Death(server, what, done)
                assert ship(address, number) == 0, f"it was to die at {what.pattern}"
                until(lambda: server.process is None, START_S, "its end")
                arrives(number)
        finally:
            server.close()
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        table = LogTable.open(tmp_path / "reader", url=f"{bucket.url}/t")
        assert verify(table).faults == ()
        engine = PolarsEngine()
        found = engine.collect(engine.scan(table.snapshot().segments(0, 2**62), {"_line": pl.String()}))["_line"]
        assert sorted(found) == [f"line {number}" for number in range(len(POINTS) + 1)]
