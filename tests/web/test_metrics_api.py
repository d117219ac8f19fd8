"""Metrics over HTTP: made, listed, described, asked and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from rollups.world import NS, START_NS, World
from tailrace.clock import NS_PER_S
from tailrace.engines.polars import PolarsEngine
from tailrace.rollups.metrics import Metrics
from tailrace.rollups.settings import RollupSettings
from tailrace.telemetry import Accounts
from tailrace.web import metrics_api
from tailrace.web.app import create_app
from tailrace.web.services import Services
from tailrace.web.work import Work
from web.conftest import FakeSink, _served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPR = 'sum by (host) (count_over_time({host=~".+"}[1m]))'


class Site:
    client: httpx.Client

    def __init__(self, data: Path) -> None:
        self.world = world = World(data)
        accounts = Accounts()
        self.metrics = Metrics(
            world.control,
            world.logs,
            PolarsEngine(),
            clock=world.clock,
            accounts=accounts,
            settings=RollupSettings(expose=True),
        )
        services = Services(
            table=world.logs,
            engine=PolarsEngine(),
            sink=FakeSink(),
            accounts=accounts,
            clock=world.clock,
            host="testserver",
            followed=tuple,
            started_ns=START_NS,
            kept=self.metrics.kept,
        )
        self.app = create_app(services)
        self.app.include_router(metrics_api.routes(services, self.metrics, Work()))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "data")
    with _served(made.app) as address, httpx.Client(base_url=address, timeout=20, trust_env=False) as made.client:
        yield made
    made.world.close()


def test_a_metric_is_made_listed_and_deleted(site: Site) -> None:
    made = site.client.post("/api/v1/metrics", json={"name": "hits", "expr": EXPR, "backfill_s": 3600})
    assert made.status_code == 201
    told = {
        "name": "hits",
        "expr": EXPR,
        "form": None,
        "bucket_ns": 60 * NS,
        "period_ns": 60 * NS,
        "since_ns": START_NS - 3600 * NS,
        "created_ns": START_NS,
    }
    assert made.json() == told
    assert site.client.get("/api/v1/metrics").json() == {"metrics": [told]}
    again = site.client.post("/api/v1/metrics", json={"name": "hits", "expr": EXPR})
    assert (again.status_code, "already created" in again.text) == (409, True)
    assert site.client.delete("/api/v1/metrics/hits").status_code == 204
    assert site.client.delete("/api/v1/metrics/hits").status_code == 404
    assert site.client.get("/api/v1/metrics").json() == {"metrics": []}


def test_a_metric_of_a_form_is_made(site: Site) -> None:
    form = {"statistic": "avg", "property": "took", "period_s": 60, "segment": "host"}
    made = site.client.post("/api/v1/metrics", json={"name": "took", **form}).json()
    assert made["expr"] == 'avg_over_time({host=~".+"} | unwrap took | __error__="" [1m]) by (host)'
    assert made["form"] == {**form, "refresh_s": None, "filter": ""}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"expr": EXPR}, "$.name"),
        ({"name": "a"}, "exactly one of expr and statistic"),
        ({"name": "a", "expr": EXPR, "segment": "host"}, "$.segment"),
        ({"name": "a", "exp": EXPR}, "did you mean 'expr'"),
        ({"name": "a", "expr": 7}, "$.expr: this is no str"),
        ({"name": "a", "statistic": "sum", "property": "took", "period_s": 1.5}, "whole seconds"),
        ({"name": "a", "expr": "rate("}, "takes a log query with a range"),
        ({"name": "a", "expr": EXPR, "bucket_s": 60, "period_s": 7}, "period of 7 s"),
    ],
)
def test_what_is_wrong_is_said(site: Site, body: dict[str, object], says: str) -> None:
    answer = site.client.post("/api/v1/metrics", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["what"] + answer.json()["error"]["hint"]


def test_values_are_those_of_periods_that_are_over(site: Site) -> None:
    site.client.post("/api/v1/metrics", json={"name": "hits", "expr": EXPR})
    site.world.lines((10, "a", 1), (20, "b", 1), (30, "a", 1), (70, "a", 1))
    site.world.clock.advance(119)
    site.metrics.keeper.round()
    answer = site.client.get("/api/v1/metrics/hits/values").json()
    assert answer["data"]["result"] == [
        {"metric": {"host": "a"}, "values": [[START_NS // NS + 60, "2"]]},
        {"metric": {"host": "b"}, "values": [[START_NS // NS + 60, "1"]]},
    ]
    assert answer["data"]["stats"]["tailrace"]["bucketsRead"] == 2
    site.world.clock.advance(2)
    newest = site.client.get("/api/v1/metrics/hits/values", params={"limit": 1}).json()
    assert newest["data"]["result"] == [{"metric": {"host": "a"}, "values": [[START_NS // NS + 120, "1"]]}]


def test_a_metric_tells_how_its_numbers_are_kept(site: Site) -> None:
    site.client.post("/api/v1/metrics", json={"name": "hits", "expr": EXPR})
    site.world.lines((10, "a", 1), (70, "a", 1))
    assert site.client.get("/api/v1/metrics/hits").json()["health"]["state"] == "new"
    site.metrics.keeper.round()
    health = site.client.get("/api/v1/metrics/hits").json()["health"]
    assert health == {
        "state": "kept",
        "error": "",
        "newest_ns": START_NS + 120 * NS_PER_S,
        "rows": 2,
        "pending": [],
        "behind": 0,
    }
    assert site.client.get("/api/v1/metrics/none").status_code == 404


def test_newest_values_are_exposed(site: Site) -> None:
    site.client.post("/api/v1/metrics", json={"name": "hits.by-host", "expr": EXPR})
    site.world.lines((10, "a", 1), (30, "a", 1))
    site.world.clock.advance(61.5)
    assert 'hits_by_host{host="a"} 2' in site.client.get("/metrics").text
