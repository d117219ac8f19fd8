"""The pages of files over a small twin, served on a free port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from tailrace.errors import TailraceError
from tailrace.web.explorer import frame as frames
from tailrace.web.explorer.files import views
from tailrace.web.headers import SafeHeaders
from tailrace.web.refusals import refuse
from tailrace.web.work import Work
from twin.world import World
from web.conftest import _served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Room:
    """The pages, and the world that they show."""

    world: World
    client: httpx.Client

    def page(self, where: str = "/files", /, status: int = 200, **words: str) -> str:
        """Return a page."""
        answer = self.client.get(where, params=words)
        assert answer.status_code == status, answer.text[-2_000:]
        return answer.text


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "data")


@pytest.fixture
def room(world: World) -> Iterator[Room]:
    app, frame, work = FastAPI(), frames.Frame("box"), Work()
    app.add_middleware(SafeHeaders)
    app.include_router(frames.routes(frame))
    app.include_router(views.routes(frame, world.twin, work))

    async def failed(request: Any, error: Exception) -> Any:
        return refuse(request, error)

    app.add_exception_handler(TailraceError, failed)
    with _served(app) as address, httpx.Client(base_url=address, timeout=20, trust_env=False) as client:
        yield Room(world, client)
    work.close()
