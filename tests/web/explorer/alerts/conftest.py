"""The alerts room over a real table and real rules, with a clock that a test moves, and a webhook that rings."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from starlette.types import Receive, Scope, Send

from tailrace.access.model import Principal
from tailrace.alerts.alerting import Alerting
from tailrace.alerts.settings import AlertSettings
from tailrace.batch import Batch, stream_text
from tailrace.clock import ManualClock
from tailrace.control import Control
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from tailrace.web.explorer.alerts import views
from tailrace.web.explorer.frame import Frame
from tailrace.web.services import Services
from tailrace.web.work import Work
from web.conftest import NOW_NS, FakeSink, S, _served


@dataclass
class Room:
    """The page, what stands behind it, and who asks."""

    table: LogTable
    alerting: Alerting
    control: Control
    clock: ManualClock
    client: httpx.Client
    who: list[Principal] = field(default_factory=lambda: [Principal("ann")])

    @property
    def address(self) -> str:
        return str(self.client.base_url).rstrip("/")

    def store(self, *rows: tuple[float, str], level: str | None = None, **labels: str) -> None:
        """Commit lines of one stream: (seconds from the start, line)."""
        frame = pl.DataFrame(
            {"_time_ns": [NOW_NS + round(at * S) for at, _ in rows], "_line": [line for _, line in rows]},
            schema={"_time_ns": pl.Int64, "_line": pl.String},
        ).with_columns(
            _observed_ns=pl.lit(NOW_NS, pl.Int64),
            _stream=pl.lit(stream_text({"service_name": "cart", **labels})),
            _level=pl.lit(level, pl.String),
            _offset=pl.Series(range(len(rows)), dtype=pl.Int64),
        )
        self.table.commit([Batch(frame, "test", frame.height, 1)])

    def pass_time(self, seconds: int) -> None:
        """Move the clock, evaluate what is due, and tell."""
        self.clock.advance(seconds)
        while self.alerting.service.round():
            pass
        self.alerting.notifier.step()

    def save(self, name: str, **more: object) -> str:
        """Save a rule, and return its id."""
        rule = {"alert": name, "expr": 'sum(count_over_time({service_name="cart"} |= "boom" [1m])) > 1', **more}
        self.alerting.save("explorer", {"name": name, "interval": "1m", "rules": [rule]})
        found = [one for group in self.alerting.rules.current() for one in group.rules if one.name == name]
        return found[-1].id

    def get(self, path: str, status: int = 200, **params: Any) -> str:
        """Return a page."""
        answer = self.client.get(path, params=params or None)
        assert answer.status_code == status, answer.text[-2_000:]
        return answer.text

    def post(self, path: str, status: int = 303, **form: str) -> httpx.Response:
        """Send a form."""
        answer = self.client.post(path, data=form, follow_redirects=False)
        assert answer.status_code == status, answer.text[-2_000:]
        return answer


class _As:
    """Says who asks, as the door does."""

    def __init__(self, app: Any, who: list[Principal]) -> None:
        self._app, self._who = app, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["principal"] = self._who[0]
        await self._app(scope, receive, send)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    table, control = LogTable.open(tmp_path, create=True), Control.open(tmp_path)
    clock, accounts, engine = ManualClock(NOW_NS), Accounts(), PolarsEngine()
    alerting = Alerting(AlertSettings(), control, table, engine, clock=clock, accounts=accounts)
    services = Services(table, engine, FakeSink(), accounts, clock, "box", list, NOW_NS, rules=alerting)
    clock.advance(2)  # a window is evaluated when its last second is over
    frame, who, work = Frame("box"), [Principal("ann")], Work()
    app = create_app(services, frame)
    app.include_router(views.routes(services, frame, alerting, control, work))
    with _served(_As(app, who)) as address, httpx.Client(base_url=address, timeout=30, trust_env=False) as client:  # type: ignore[arg-type]
        yield Room(table, alerting, control, clock, client, who)
    work.close()
    control.close()


@dataclass
class Hook:
    """A webhook of this machine, and what it was sent."""

    url: str
    got: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(made.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/"
    yield made
    server.shutdown()
    server.server_close()
    thread.join(5)
