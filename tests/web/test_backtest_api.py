"""Back-tests over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import polars as pl
import pytest

from tailrace.batch import Batch
from tailrace.clock import NS_PER_S, ManualClock
from tailrace.engines.polars import PolarsEngine
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from tailrace.web.backtest_api import PATH
from tailrace.web.services import Services
from web.conftest import FakeSink, _served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 1_767_225_600 * NS_PER_S  # 2026-01-01T00:00:00Z
EXPR = 'sum(count_over_time({app="x"}[1m])) > 3'
GROUP = {"name": "g", "rules": [{"alert": "A", "expr": EXPR}, {"record": "a:b", "expr": EXPR}]}
SPAN = {"start": "2026-01-01T00:00:00Z", "end": START / NS_PER_S + 3600}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """A server whose table has five lines in the tenth minute of the year; it is two hours old."""
    table = LogTable.open(tmp_path, create=True)
    times = [START + (9 * 60 + second) * NS_PER_S for second in range(1, 6)]
    frame = pl.DataFrame({"_time_ns": times, "_observed_ns": times, "_stream": '{app="x"}', "_line": "boom"})
    table.commit([Batch(frame, "test", 5, 25)])
    services = Services(
        table=table,
        engine=PolarsEngine(),
        sink=FakeSink(),
        accounts=Accounts(),
        clock=ManualClock(START + 7200 * NS_PER_S),
        host="testserver",
        followed=tuple,
        started_ns=START,
    )
    with _served(create_app(services)) as url, httpx.Client(base_url=url) as served:
        yield served


def test_a_group_that_is_not_saved_is_tested(client):
    before = {"name": "g", "rules": [{"alert": "A", "expr": EXPR, "for": "1m"}]}
    sweep = {"threshold": [4, "5"], "for": ["0s"]}
    found = client.post(PATH, json={"group": GROUP, "before": before, "sweep": sweep, **SPAN}).json()
    assert (found["fired"], found["windows"], found["incidents"][0]["fired"]) == (1, 61, "2026-01-01T00:10:00Z")
    assert [(one["settings"], one["fired"]) for one in found["sweep"]] == [
        ("threshold=4 for=0s", 1),
        ("threshold=5 for=0s", 0),
    ]
    assert (found["before"]["fired"], len(found["difference"]["only_after"])) == (0, 1)


def test_thirty_days_are_the_default_and_yaml_is_taken(client):
    body = f"group:\n  name: g\n  interval: 10m\n  rules:\n  - alert: A\n    expr: '{EXPR}'\n"
    found = client.post(PATH, content=body).json()
    assert (found["start"], found["end"]) == ("2025-12-02T02:00:00Z", "2026-01-01T02:00:00Z")
    assert [one["seconds"] for one in found["incidents"]] == [600.0]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"rule": "A"}, "$.group"),
        ({"group": {"name": "g", "rules": [{"alert": "A", "expr": "rate("}], "labels": 5}}, "$.group.rules[0].expr"),
        ({"group": GROUP, "rule": "B"}, "has no rule 'B'"),
        ({"group": GROUP, "rule": "a:b"}, "never fires"),
        ({"group": {"name": "g", "rules": GROUP["rules"][:1] * 2}}, "name one of A, A, or send a group with one rule"),
        ({"group": {"name": "g", "rules": GROUP["rules"][1:]}}, "has no alert"),
        ({"group": GROUP, "sweep": {"limit": [1]}}, "is no sweep"),
        ({"group": GROUP, "start": "soon"}, "start"),
        ([], "$"),
    ],
)
def test_what_is_wrong_is_said(client, body, what):
    refused = client.post(PATH, json=body)
    assert refused.status_code == 400
    assert what in refused.text
