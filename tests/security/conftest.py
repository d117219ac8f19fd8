"""A server as operators run it, for many attacks: two tenants with a secret each, and an operator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route, WebSocketRoute

from tailrace.access.guard import Guard
from tailrace.access.model import SCOPES
from tailrace.access.tokens import Tokens
from tailrace.clock import SystemClock
from tailrace.config.model import Config
from tailrace.control import Control
from tailrace.server import Server
from tailrace.sinks.store import StoreSink
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts
from tailrace.web.guarded import Guarded

CANARY = {"shop": "canary-of-shop-7f3a", "bank": "canary-of-bank-9c1e"}
"""What stands in each tenant's lines, labels, fields and names of fields, and nowhere else."""


@dataclass
class House:
    """A server, and who may ask it."""

    server: Server
    door: Guarded
    app: FastAPI
    data: Path
    control: Control
    tokens: dict[str, str]

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def guard(self) -> Guard:
        return self.door._guard

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def client(self, who: str | None = None, **headers: str) -> httpx.Client:
        shown = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return httpx.Client(base_url=self.address, headers={**shown, **headers}, timeout=60, trust_env=False)


@contextmanager
def running(data: Path, **settings: Any) -> Iterator[House]:  # Any: keys of the configuration
    """Run a server over a folder."""
    config = Config.model_validate({"data": data, "sources": [], "listen": "127.0.0.1:0", **settings})
    table = LogTable.open(data, create=True, settings=config.store)
    accounts, clock = Accounts(), SystemClock()
    sink = StoreSink(table, clock=clock, settings=config.store)
    with_tokens = Control.open(data)
    tokens = Tokens(with_tokens, clock)
    made = {scope: tokens.create(scope, [scope])[0] for scope in SCOPES}
    made["operator"] = tokens.create("operator", SCOPES)[0]
    for tenant in CANARY:
        made[tenant] = tokens.create(tenant, SCOPES, tenant=tenant)[0]
    server = Server(config, table, sink, accounts=accounts, clock=clock)
    guarded = server._http.config.app  # the door is what is tested
    assert isinstance(guarded, Guarded)
    app = guarded._app
    assert isinstance(app, FastAPI)
    server.start()
    try:
        yield House(server, guarded, app, data, with_tokens, made)
    finally:
        server.stop()
        sink.close()
        with_tokens.close()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server with tenants, that holds a secret of each."""
    with running(tmp_path_factory.mktemp("house"), access={"tenants": True}) as house:
        now_ns = time.time_ns() - 5_000_000_000
        for tenant, canary in CANARY.items():
            field = canary.replace("-", "_")
            line = f'{{"msg":"{canary}","{field}":"{canary}","level":"error"}}'
            stream = {"app": "web", "canary": canary, field: "x"}
            body = {
                "streams": [
                    {"stream": stream, "values": [[str(now_ns + at), line, {"more_" + field: "x"}] for at in range(20)]}
                ]
            }
            with house.client(tenant) as client:
                assert client.post("/loki/api/v1/push", json=body).status_code == 204
        yield house


@pytest.fixture(autouse=True)
def _no_guesses_before(house: House) -> None:
    """Let no test wait for what another one guessed."""
    house.guard._wrong.clear()


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A server as a laptop has it: on this machine only, and no token is needed."""
    with running(tmp_path_factory.mktemp("plain")) as house:
        yield house


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Return method and path of every route of an application; a websocket is a GET."""
    return sorted({one for route in app.routes for one in _below(route, "")})


def _below(route: BaseRoute, prefix: str) -> Iterator[tuple[str, str]]:
    included = getattr(route, "original_router", None)
    if included is not None:
        inner = prefix + getattr(route.include_context, "prefix", "")  # type: ignore[attr-defined]  # of FastAPI's own
        for one in included.routes:
            yield from _below(one, inner)
    elif isinstance(route, (Route, APIRoute)):
        for method in route.methods or ():
            yield method, prefix + route.path
    elif isinstance(route, WebSocketRoute):
        yield "GET", prefix + route.path
    else:
        raise AssertionError(f"a kind of route that nobody looked at: {route!r}")
