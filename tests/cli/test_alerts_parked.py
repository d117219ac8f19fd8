"""`tailrace alerts parked`, on a data folder and on a server."""

from __future__ import annotations

import json

import pytest
from fastapi import FastAPI

from alerts.notify.telling import World
from tailrace.alerts.notify.model import Refused
from tailrace.web import receivers_api
from web.conftest import _served


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path / "data", route={"group_by": ["alertname"], "group_wait": "0s"}, receivers=["team"])
    made.channel("team").error = Refused("HTTP 400: no")
    made.fire(alertname="A")
    made.fire(alertname="B")
    made.notifier.step()
    yield made
    made.control.close()


@pytest.fixture(params=["folder", "server"])
def parked(request, world, run, tmp_path):
    if request.param == "folder":
        yield lambda *words: run("alerts", "parked", *words, "--data", tmp_path / "data")
        return
    app = FastAPI()
    app.include_router(receivers_api.routes(world.notifier))
    with _served(app) as address:
        yield lambda *words: run("alerts", "parked", *words, "--url", address.rstrip("/"))


def test_what_is_parked_is_listed_sent_again_or_dropped(world, parked):
    assert parked().out.splitlines() == [
        '1  team/webhook  firing  {}:{alertname="A"}  1 attempts: HTTP 400: no',
        '2  team/webhook  firing  {}:{alertname="B"}  1 attempts: HTTP 400: no',
    ]
    assert [json.loads(line)["id"] for line in parked("-o", "jsonl").out.splitlines()] == [1, 2]
    assert parked("--retry", "1", "--drop", "2").out.splitlines() == ["will be sent again: 1", "dropped: 2"]
    assert parked().err.strip() == "nothing is parked"
    world.channel("team").error = None
    world.notifier.step()
    assert [one.group_labels for one in world.channel("team").got] == [{"alertname": "A"}]


def test_one_that_is_not_there(parked):
    done = parked("--drop", "9")
    assert done.code != 0
