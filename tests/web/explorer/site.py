"""An application with dashboards and metrics over a small world of lines; nothing runs in the background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from rollups.world import START_NS, World
from tailrace.engines.polars import PolarsEngine
from tailrace.rollups.metrics import Metrics
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from tailrace.web.explorer.dashboard import views as dashboard
from tailrace.web.explorer.dashboard.store import Dashboards
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.metrics import views as metrics
from tailrace.web.services import NoRules, Services
from tailrace.web.work import Work
from web.conftest import FakeSink, _served


@dataclass
class SomeRules(NoRules):
    """Rules that a test writes down."""

    rules: list[dict[str, Any]] = field(default_factory=list)

    def groups(self) -> Sequence[dict[str, Any]]:
        return [{"name": "group", "rules": self.rules}]


@dataclass
class Site:
    """What a test looks at; `post` sends a form as a browser does, without going where it is told to."""

    world: World
    metrics: Metrics
    dashboards: Dashboards
    rules: SomeRules
    services: Services
    client: httpx.Client
    address: str

    def get(self, path: str, **given: str) -> httpx.Response:
        return self.client.get(path, params=given, headers={"Accept": "text/html"})

    def post(self, path: str, **given: str) -> httpx.Response:
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
        return self.client.post(path, content=urlencode(given), headers=kind)


@contextmanager
def built(data: Path) -> Iterator[Site]:
    world, accounts, rules = World(data), Accounts(), SomeRules()
    made = Metrics(world.control, world.logs, PolarsEngine(), clock=world.clock, accounts=accounts)
    services = Services(
        table=world.logs,
        engine=PolarsEngine(),
        sink=FakeSink(),
        accounts=accounts,
        clock=world.clock,
        host="box",
        followed=tuple,
        started_ns=START_NS,
        rules=rules,
        kept=made.kept,
    )
    frame, kept = Frame("box"), Dashboards(world.control, world.clock)
    app = create_app(services, frame)
    app.include_router(dashboard.routes(services, frame, kept, Work()))
    app.include_router(metrics.routes(services, frame, made, kept, Work()))
    with _served(app) as address, httpx.Client(base_url=address, timeout=20, trust_env=False) as client:
        yield Site(world, made, kept, rules, services, client, address)
    world.close()
