"""Two servers on one PostgreSQL and one table: each job is done by one, also when that one is killed; nobody is told twice."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl
import psycopg
import pytest

from alerts.notify.inboxes import WebInbox
from e2e.program import COMMAND, Up, until
from tailrace.batch import Batch
from tailrace.store.table import LogTable

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

JOBS = ["alerts", "deletions", "files", "rollups"]
RULES = """
groups:
- name: shop
  interval: 1s
  rules:
  - alert: Errors
    expr: sum by (cart) (count_over_time({app="shop"} |= "boom" [1h])) > 0
"""


class Server(Up):
    """`tailrace up` that follows nothing, with a configuration of its own."""

    def start(self) -> None:
        words = [*COMMAND, "up", "--data", str(self.data), "--listen", self.address]
        words += ["--config", str(self.log.with_suffix(".yaml"))]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output)


class House:
    """Two servers, what they share, and who is told."""

    def __init__(self, folder: Path, database: str, web: WebInbox) -> None:
        self.data, self._database, self._web = folder / "data", database, web
        self.table = LogTable.open(self.data, create=True)
        (folder / "rules.yaml").write_text(RULES)
        alerts = {
            "rule_files": [str(folder / "rules.yaml")],
            "route": {"receiver": "team", "group_by": ["..."], "group_wait": "0s", "group_interval": "200ms"},
            "receivers": [{"name": "team", "webhook": {"url": web.url}}],
        }
        self.servers = [Server(self.data, (), folder / f"{name}.txt") for name in ("one", "two")]
        for server in self.servers:
            config = {"agent": server.log.stem, "sources": [], "control": database, "alerts": alerts}
            server.log.with_suffix(".yaml").write_text(json.dumps(config))

    def write(self, cart: str) -> None:
        """Make a line of this moment durable, as an agent elsewhere would."""
        now_ns = time.time_ns()
        frame = pl.DataFrame(
            {
                "_time_ns": [now_ns],
                "_observed_ns": [now_ns],
                "_stream": [f'{{app="shop", cart="{cart}"}}'],
                "_line": ["boom"],
            }
        )
        self.table.commit([Batch(frame, "test", 1, 5)])

    def told(self) -> Counter[str]:
        """Return how often who was told of each cart."""
        return Counter(one["labels"]["cart"] for posted in self._web.got for one in posted.json["alerts"])

    def doing(self) -> dict[str, str]:
        """Return by job the address of the server whose it is, as far as leases hold."""
        with psycopg.connect(self._database) as connection:
            found = connection.execute(
                "select name, server from leases where until_ns > %s order by name", [time.time_ns()]
            )
            return {str(job): str(server).rstrip("/") for job, server in found}


def test_a_server_takes_over_what_a_killed_one_did(tmp_path: Path, database: str) -> None:
    with WebInbox() as web:
        house = House(tmp_path, database, web)
        try:
            for server in house.servers:
                server.start()
            for server in house.servers:
                server.ready()
            until(lambda: sorted(house.doing()) == JOBS, 60, "each job has a server")
            house.write("a")
            until(lambda: house.told()["a"], 60, "somebody is told")
            busy = house.doing()["alerts"]
            victim = next(one for one in house.servers if one.url == busy)
            other = next(one for one in house.servers if one is not victim)
            victim.kill()
            house.write("b")
            until(lambda: house.told()["b"], 60, "the other one tells")
            until(lambda: house.doing() == dict.fromkeys(JOBS, other.url), 60, "the other one does all")
            victim.start()
            victim.ready()
            house.write("c")
            until(lambda: house.told()["c"], 60, "who is back changes nothing")
            assert set(house.doing().values()) == {other.url}
            assert house.told() == {"a": 1, "b": 1, "c": 1}
            assert "Sesam" not in "".join(server.said() for server in house.servers)
        finally:
            for server in house.servers:
                server.close()
