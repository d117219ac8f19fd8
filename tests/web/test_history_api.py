"""What alerts have said, over HTTP: what the command `alerts get --url` reads."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from alerts.world import MINUTE, Line, S, World, group, rule
from tailrace.errors import TailraceError
from tailrace.web import history_api
from tailrace.web.refusals import refuse

START = 100 * MINUTE


@pytest.fixture
def ask(tmp_path):
    """Return what asks a server whose rule `A` had a signal of three lines at 01:41, and was over a minute later."""
    world = World(tmp_path, now_ns=START)
    world.lines += [Line(START + 50 * S, START + 50 * S) for _ in range(3)]
    server = world.server()
    for _ in range(3):
        server.round(group(rule(labels={"severity": "page"})))
        world.now_ns += MINUTE
    app = FastAPI()
    app.include_router(history_api.routes(world.control))

    async def failed(request: Any, error: Exception) -> Any:
        return refuse(request, error)

    app.add_exception_handler(TailraceError, failed)

    async def answered(method: str, words: dict[str, str]) -> httpx.Response:
        given = {"params" if method == "GET" else "data": words}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as client:
            return await client.request(method, "/api/v1/alerts/history", **given)

    yield lambda method, **words: asyncio.run(answered(method, words))
    world.control.close()


def test_signals_and_ends_newest_first(ask):
    labels = {"alertname": "A", "host": "a"}
    end = {"time": "1970-01-01T01:42:00Z", "time_ns": "6120000000000", "kind": "recovered", "value": None}
    signal = {"time": "1970-01-01T01:41:00Z", "time_ns": "6060000000000", "kind": "signal", "value": 3.0}
    answer = ask("GET", rule="A").json()["history"]
    for one in answer:
        assert labels.items() <= one.pop("labels").items()
    assert answer == [end, signal]
    assert len(ask("POST", rule="A", limit="1").json()["history"]) == 1
    assert ask("GET", rule="nobody").json() == {"history": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "rule is missing"),
        ({"rule": "A", "limit": "0"}, "limit='0' is no number of lines"),
        ({"rule": "A", "limit": "many"}, "limit='many' is no number of lines"),
    ],
)
def test_what_is_refused(ask, words, said):
    answer = ask("GET", **words)
    assert answer.status_code == 400
    assert answer.json()["error"]["what"] == said
