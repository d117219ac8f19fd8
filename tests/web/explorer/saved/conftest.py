"""The page over a table, with a control database beside it, for several people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tailrace.access.model import ANONYMOUS, Principal
from tailrace.control import Control
from tailrace.web.app import create_app
from tailrace.web.explorer.frame import Frame
from tailrace.web.explorer.saved import views
from tailrace.web.explorer.saved.store import Saved
from web.conftest import House, _served

PEOPLE = {"ann": Principal("ann", scopes=frozenset({"query"})), "bob": Principal("bob", scopes=frozenset({"query"}))}


class _Door:
    """Says who asks, as the door of the server does; by a header, for tests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = dict(scope.get("headers", [])).get(b"x-who", b"").decode()
        scope.setdefault("state", {})["principal"] = PEOPLE.get(name, ANONYMOUS)
        await self._app(scope, receive, send)


@dataclass
class Room:
    house: House
    saved: Saved
    address: str

    def client(self, who: str = "") -> httpx.Client:
        return httpx.Client(
            base_url=self.address, headers={"x-who": who}, timeout=20, trust_env=False, follow_redirects=True
        )


@pytest.fixture
def room(house: House, tmp_path) -> Iterator[Room]:
    control = Control.open(tmp_path / "control")
    frame, saved = Frame("box"), Saved(control, house.clock)
    app = create_app(house.services, frame)
    app.include_router(views.routes(frame, saved))
    with _served(_Door(app)) as address:  # type: ignore[arg-type]  # any application will do
        yield Room(house, saved, address)
        house.is_ready[0] = False
    control.close()


@pytest.fixture
def ask(room: Room) -> Iterator[Callable[[str], httpx.Client]]:
    """Clients of people by name; of none: whoever is on this machine."""
    clients: list[httpx.Client] = []

    def of(who: str = "") -> httpx.Client:
        clients.append(room.client(who))
        return clients[-1]

    yield of
    for client in clients:
        client.close()
