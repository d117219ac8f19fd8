"""Rules in the running program: an alert fires, outlives a kill with all that is known of it, and is over."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

import tailrace.alerts.kept.tables  # noqa: F401  what is defined is made when a database is opened
from e2e.program import until
from tailrace.batch import Batch
from tailrace.control import Control
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from e2e.program import Up

pytestmark = pytest.mark.e2e

RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: Errors
    expr: sum by (source) (count_over_time({{source="{source}"}} |= "boom" [{window}])) > 2
    labels: {{severity: page}}
    annotations: {{summary: "{{{{ $value }}}} errors"}}
"""


def alerts(up: Up) -> list[dict[str, Any]]:
    status, body = up.get("/api/v1/alerts")
    assert status == 200, body
    return list(json.loads(body)["data"]["alerts"])


def firing(up: Up) -> dict[str, Any] | None:
    return next((one for one in alerts(up) if one["state"] == "firing"), None)


def test_an_alert_outlives_a_kill_and_is_over_when_its_condition_is(make_up: Callable[..., Up], tmp_path: Path):
    log, rules = tmp_path / "app.log", tmp_path / "rules.yml"
    log.write_text("hello\n")
    rules.write_text(RULES.format(source="app", window="12s"))
    config = tmp_path / "tailrace.yaml"
    config.write_text(f"sources: [{{paths: [{log}], name: app}}]\nalerts: {{rule_files: [{rules}]}}\n")
    up = make_up("--config", config)
    up.start()
    up.ready()
    assert alerts(up) == []
    with log.open("a") as lines:
        lines.write("boom\n" * 5)
    written = time.time()
    first = until(lambda: firing(up), 15, "it fires")
    assert first["labels"] == {"alertname": "Errors", "severity": "page", "source": "app"}
    assert float(first["value"]) == 5

    up.kill()
    up.start()
    up.ready()
    again = until(lambda: firing(up), 5, "it fires still")
    assert (again["activeAt"], again["labels"]) == (first["activeAt"], first["labels"])

    until(lambda: not alerts(up), 90, "it is over")
    assert time.time() - written >= 11, "no window without the lines can be over before"


class Servers:
    """Processes that evaluate rules on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.data, self.rules = folder / "data", folder / "rules.yml"
        self.table = LogTable.open(self.data, create=True)
        self.control = Control.open(self.data)
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        words = [sys.executable, "-m", "e2e.alert_server", str(self.data), str(self.rules)]
        self.running.append(subprocess.Popen(words, cwd=Path(__file__).parents[1], stdin=subprocess.DEVNULL))

    def write(self, count: int) -> None:
        """Make lines of this moment durable."""
        frame = pl.DataFrame({"_time_ns": [time.time_ns()] * count}).with_columns(
            pl.col("_time_ns").alias("_observed_ns"),
            pl.lit('{source="app"}').alias("_stream"),
            pl.lit("boom").alias("_line"),
            pl.lit(None, pl.String).alias("_level"),
        )
        self.table.commit([Batch(frame, "test", count, 4 * count)])

    def rows(self, words: str) -> list[tuple[Any, ...]]:
        with self.control.transaction() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(words).all()]

    def holders(self) -> set[str]:
        return {holder for (holder,) in self.rows("select holder from leases where name = 'alerts'")}

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.control.close()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    made.close()


def test_two_servers_on_one_database_evaluate_each_window_once(servers: Servers):
    servers.rules.write_text(RULES.format(source="app", window="3s"))
    servers.start()
    servers.start()
    until(servers.holders, 30, "one has the lease")
    (first,) = servers.holders()
    until(lambda: len(servers.rows("select * from alert_evaluations")) > 3, 20, "it evaluates")
    servers.write(5)
    until(lambda: servers.rows("select * from alert_outbox where kind = 'firing'"), 20, "it fires")
    assert servers.holders() == {first}
    victim = next(process for process in servers.running if f"/{process.pid}/" in first)
    victim.kill()
    victim.wait()
    until(lambda: servers.holders() != {first}, 10, "the other takes over, sooner than the lease ends")
    until(lambda: servers.rows("select * from alert_outbox where kind = 'resolved'"), 20, "it is over")
    told = servers.rows("select kind from alert_outbox order by id")
    assert told == [("firing",), ("resolved",)]
    times = [at_ns for (at_ns,) in servers.rows("select at_ns from alert_evaluations where correction = 0 order by id")]
    assert times == list(range(times[0], times[-1] + 1, 10**9)), "each window once, in order"
