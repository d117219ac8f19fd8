"""Alertmanager's own tool against our API: it is the client that knows the shapes best."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from fastapi import FastAPI

from alerts.notify.telling import World
from tailrace.clock import SystemClock
from tailrace.web import alerts_api
from web.conftest import _served

AMTOOL = shutil.which("amtool")
pytestmark = pytest.mark.skipif(AMTOOL is None, reason="amtool is not installed: scripts/peers installs it")


@pytest.fixture
def amtool(tmp_path):
    world = World(tmp_path / "data", route={"group_by": ["alertname"]}, receivers=["team"])
    world.clock = SystemClock()
    notifier = world.restart()
    app = FastAPI()
    app.include_router(alerts_api.routes(notifier, world.control, world.clock))

    with _served(app) as address:

        def run(*words: str) -> str:
            said = subprocess.run(
                [AMTOOL, f"--alertmanager.url={address}", *words],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
                env={"HOME": str(tmp_path)},
            )
            assert said.returncode == 0, said.stderr
            return said.stdout

        yield run
    world.control.close()


def test_alerts_and_silences(amtool):
    amtool("alert", "add", "alertname=A", "host=x", "--annotation=summary=bad")
    amtool("alert", "add", "alertname=B", "host=y")
    found = json.loads(amtool("-o", "json", "alert", "query"))
    assert {(one["labels"]["alertname"], one["status"]["state"]) for one in found} == {("A", "active"), ("B", "active")}
    name = amtool("silence", "add", "alertname=A", "host=~x|z", "--comment=why", "--author=me", "--duration=1h").strip()
    [silence] = json.loads(amtool("-o", "json", "silence", "query"))
    assert (silence["id"], silence["createdBy"], silence["comment"]) == (name, "me", "why")
    assert [one["labels"]["alertname"] for one in json.loads(amtool("-o", "json", "alert", "query"))] == ["B"]
    silenced = json.loads(amtool("-o", "json", "alert", "query", "--silenced"))
    assert [one["status"]["silencedBy"] for one in silenced] == [[name]]
    assert json.loads(amtool("-o", "json", "alert", "query", 'host=~"y.*"'))[0]["labels"]["alertname"] == "B"
    amtool("silence", "update", name, "--duration=2h", "--comment=longer")
    [changed] = json.loads(amtool("-o", "json", "silence", "query"))
    assert (changed["id"], changed["comment"]) == (name, "longer")
    amtool("silence", "expire", name)
    assert json.loads(amtool("-o", "json", "silence", "query")) == []
    assert len(json.loads(amtool("-o", "json", "silence", "query", "--expired"))) == 1


def test_status(amtool):
    assert "receiver: team" in amtool("config", "show")
    assert "disabled" in amtool("cluster", "show")
