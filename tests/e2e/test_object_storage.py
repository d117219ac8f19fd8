"""The whole program with its table in object storage: two servers on one table, one of them killed, and every command."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import polars as pl
import pytest

from e2e.program import COMMAND, answered, tailrace, until
from s3 import KEY, SECRET, serving
from tailrace.engines.polars import PolarsEngine
from tailrace.errors import TableError
from tailrace.store.table import LogTable
from tailrace.store.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e
ALL = '{filename=~".+"}'
WAIT_S = 90
LINES = 300


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serving() as server:
        bucket = server.bucket("logs")
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.setenv("TAILRACE_DATA", str(tmp_path / "mine"))
        yield f"{bucket.url}/prod"


class Server:
    """One `tailrace up` with a data folder of its own on the common table."""

    def __init__(self, folder: Path, url: str) -> None:
        self.log = folder / "x.log"
        folder.mkdir()
        self.log.touch()
        source = {"name": "files", "paths": [str(self.log)]}
        config = {"data": str(folder / "data"), "table": url, "listen": "127.0.0.1:0", "host": folder.name}
        config |= {"sources": [source], "store": {"maintain_interval_s": 1}}
        self.config = folder / "tailrace.yaml"
        self.config.write_text(json.dumps(config))
        self.output = folder / "output"

    def start(self) -> None:
        with self.output.open("ab") as output:
            self.process = subprocess.Popen([*COMMAND, "up", "--config", self.config], stdout=output, stderr=output)
        until(lambda: "page:" in self.output.read_text(), WAIT_S, "the page")

    def write(self, start: int, end: int) -> None:
        with self.log.open("a") as log:
            log.writelines(f"{self.config.parent.name} {number}\n" for number in range(start, end))


def stored(table: LogTable) -> list[str]:
    segments, engine = table.snapshot().segments(0, 2**63 - 1), PolarsEngine()
    return sorted(engine.collect(engine.scan(segments, {"_line": pl.String()}))["_line"])


def opened(url: str, tmp_path: Path) -> LogTable | None:
    """Return the table as a third program sees it, once there is one."""
    try:
        return LogTable.open(tmp_path / "reader", url=url)
    except TableError:
        return None


def test_two_servers_keep_one_table(url: str, tmp_path: Path) -> None:
    one, other = Server(tmp_path / "one", url), Server(tmp_path / "other", url)
    servers = (one, other)
    try:
        for server in servers:
            server.start()
            server.write(0, LINES // 2)
        table: LogTable = until(lambda: opened(url, tmp_path), WAIT_S, "the table")
        until(lambda: len(stored(table)) >= LINES // 2, WAIT_S, "the first lines")
        one.process.kill()
        one.process.wait()
        for server in servers:
            server.write(LINES // 2, LINES)
        one.start()
        expected = sorted(f"{name} {number}" for name in ("one", "other") for number in range(LINES))
        until(lambda: stored(table) == expected, WAIT_S, "every line once")
    finally:
        for server in servers:
            server.process.terminate()
        ends = [server.process.wait(WAIT_S) for server in servers]
    assert ends == [0, 0]
    assert stored(table) == expected
    assert verify(table).faults == ()
    for server in servers:
        said = server.output.read_text()
        assert "Traceback" not in said
        assert SECRET not in said
        assert KEY not in said


def test_every_command_takes_a_url(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in (("a", 100), ("b", 1)):
        log = tmp_path / f"{name}.log"
        log.write_text("".join(f"{name} {number}\n" for number in range(count)))
        answered("collect", log, "--data", url)
    assert json.loads(answered("table", "info", "--json", "--data", url))["rows"] == 101
    assert json.loads(answered("table", "compact", "--json", "--data", url))["files_after"] == 1
    assert "none" in answered("table", "verify", "--data", url)
    answered("table", "delete", '{filename=~".*b.log"}', "--yes", "--data", url)
    shown = answered("config", "show", "--data", url)
    assert f'table: "{url}"' in shown
    assert SECRET not in shown
    monkeypatch.setenv("TAILRACE_DATA", url)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    if os.geteuid() != 0:  # whose folder is that of the machine
        assert answered("query", f'{ALL} |= "7"', "--output", "raw", "--limit", 0).count("\n") == 19


def test_mistakes_are_told(url: str) -> None:
    missing = tailrace("query", ALL, "--data", "s3://no-such-bucket/x")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "there is no bucket 'no-such-bucket'" in missing.stderr
    empty = tailrace("query", ALL, "--data", f"{url}/elsewhere")
    assert empty.returncode == 1
    assert "there is no table here" in empty.stderr
