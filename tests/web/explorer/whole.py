"""The whole server over the shop: what `tailrace up` runs, in this process, so that a test knows its routes and clocks.

`up` itself waits for signals, which only a main thread may; here the agent ends when the test says so.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tailrace.agent.following import Following, open_checkpoint
from tailrace.agent.wiring import make_sink
from tailrace.clock import SystemClock
from tailrace.config.load import resolve
from tailrace.config.tables import open_logs
from tailrace.patience import Patience
from tailrace.server import Server
from tailrace.telemetry import Accounts
from tailrace.up import _behind
from web.conftest import wait_until
from web.explorer.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

STORED_S = 60
FIRING_S = 60


@dataclass
class Whole:
    """A running server with everything that a view can show."""

    shop: Shop
    server: Server
    client: httpx.Client

    @property
    def address(self) -> str:
        """The address without a slash at its end."""
        return self.server.address.rstrip("/")

    @property
    def app(self) -> FastAPI:
        """The operator's application, behind the door."""
        application: Any = self.server._http.config.app
        return application._app

    def now_ns(self) -> int:
        """Return the time by the server's clock."""
        return SystemClock().now_ns()

    def count(self, query: str) -> int:
        """Return the number of lines of the last day that a selector finds now."""
        asked = {"query": f"sum(count_over_time({query}[1d]))"}
        found = self.client.get("/loki/api/v1/query", params=asked).raise_for_status().json()["data"]["result"]
        return int(float(found[0]["value"][1])) if found else 0

    def firing(self) -> list[str]:
        """Return the names of the alerts that fire."""
        alerts = self.client.get("/api/v1/alerts").raise_for_status().json()["data"]["alerts"]
        return sorted({one["labels"]["alertname"] for one in alerts if one["state"] == "firing"})


@contextmanager
def running(folder: Path, lines: int = 2_000) -> Iterator[Whole]:
    """Run a server over a shop until everything is stored, alerts fire, and each room has something to show."""
    shop = Shop(folder, lines)
    config_file = shop.write()
    flags = {"data": folder / "data", "listen": "127.0.0.1:0"}
    loaded = resolve(config_file, flags)
    config = loaded.config
    clock, accounts = SystemClock(), Accounts()
    table = open_logs(config, create=True)
    patience = Patience(clock, config.store.retry_s)
    sink = make_sink(config, table, accounts=accounts, clock=clock, patience=patience)
    following = Following(
        loaded,
        lambda: resolve(config_file, flags),
        sink,
        open_checkpoint(config, patience),
        accounts=accounts,
        clock=clock,
        patience=patience,
        announce=lambda _: None,
    )
    server = Server(
        config,
        table,
        sink,
        accounts=accounts,
        clock=clock,
        followed=following.followed,
        moves=following.moves,
        behind=_behind(following.agent, config, accounts, clock),
    )
    reading = threading.Thread(target=following.agent.run, name="agent", daemon=True)
    server.start()
    reading.start()
    with httpx.Client(base_url=server.address, timeout=30, trust_env=False) as client:
        whole = Whole(shop, server, client)
        try:
            _filled(whole)
            yield whole
        finally:
            server.stop()
            following.stop()
            reading.join(20)
            sink.close()
            following.close()


def _filled(whole: Whole) -> None:
    client = whole.client
    for name, expr in (
        ("lines_by_level", 'sum by (detected_level) (count_over_time({source="shop"}[1m]))'),
        ("slowest", 'max_over_time({source="shop"} | unwrap duration_ms [1m]) by (service)'),
    ):
        client.post("/api/v1/metrics", json={"name": name, "expr": expr}).raise_for_status()
    whole.client.put(
        "/api/v1/receivers/team", json={"receiver": {"name": "team", "webhook": "http://127.0.0.1:9/team"}}
    ).raise_for_status()
    silence = {
        "matchers": [{"name": "alertname", "value": "SlowWarehouse", "isRegex": False, "isEqual": True}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "ann",
        "comment": "the warehouse moves",
    }
    client.post("/api/v2/silences", json=silence).raise_for_status()
    wait_until(lambda: whole.count('{source="odd"}') == whole.shop.written["odd.log"], STORED_S)
    wait_until(lambda: "OrdersDeclined" in whole.firing(), FIRING_S)
    # what views are to tell apart happens to files, too: one grows, one is moved, one goes
    files = whole.shop.files
    (files / "prices.csv").write_bytes(bytes(90_000))
    (files / "index.html").rename(files / "home.html")
    (files / "images/cup.png").unlink()
    wait_until(lambda: whole.count('{source="file_events"} | event_action="deleted"') == 1, STORED_S)
