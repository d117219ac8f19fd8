"""Metrics as a reader has them without script."""

from __future__ import annotations

import pytest

from rollups.world import NS
from tailrace.web.explorer.dashboard.model import Panel
from web.explorer.site import Site

LINES = '{host=~".+"}'
EXPR = 'sum by (host) (count_over_time({host=~".+"}[1m]))'
RULE = {"id": "r1", "name": "TooMany", "query": f"{EXPR} > 5", "type": "alerting", "health": "ok", "lastError": ""}


def test_someone_who_has_none_is_told_what_they_are(site: Site) -> None:
    page = site.get("/metrics-from-logs")
    assert page.status_code == 200
    assert "No metric is kept yet." in page.text
    assert 'href="/metrics-from-logs/new"' in page.text


def test_a_metric_is_made_from_a_search_seen_and_deleted(site: Site) -> None:
    site.world.lines((-150, "a", None), (-90, "a", None), (-30, "b", None))
    form = site.get("/metrics-from-logs/new", q=LINES, segment="host")
    assert form.status_code == 200
    assert "count_over_time({host=~&#34;.+&#34;} [1m])" in form.text
    assert "label sets kept" in form.text
    fields = {"name": "hits", "way": "form", "statistic": "count", "property": "*", "segment": "host"}
    made = site.post("/metrics-from-logs/new", **fields, period="1m", filter=LINES, backfill="1d")
    assert (made.status_code, made.headers["location"]) == (303, "/metrics-from-logs/hits?made=1")
    site.world.clock.advance(2)
    page = site.get("/metrics-from-logs/hits")
    assert page.status_code == 200
    assert "host=a" in page.text
    listed = site.get("/metrics-from-logs").text
    assert ">hits</a>" in listed
    assert "sum of 2 series" in listed
    assert ">hits</a>" not in site.get("/metrics-from-logs", find="nothing").text
    assert site.post("/metrics-from-logs/hits/delete").headers["location"] == "/metrics-from-logs"
    assert site.get("/metrics-from-logs/hits").status_code == 404
    assert site.post("/metrics-from-logs/hits/delete").status_code == 404


def test_an_expression_is_kept_with_the_period_of_its_window(site: Site) -> None:
    site.post("/metrics-from-logs/new", name="rate", way="expr", expr=f"sum(rate({LINES}[5m]))", backfill="", period="")
    made = site.metrics.definitions.get("rate")
    assert made is not None
    assert (made.period_ns, made.since_ns) == (300 * NS, 0)


def test_a_mistake_is_said_with_its_place_and_nothing_is_made(site: Site) -> None:
    page = site.get("/metrics-from-logs/new", expr="sum(rate({host=")
    assert page.status_code == 400
    assert "line 1, column" in page.text
    for fields in ({"name": "no name"}, {"name": ""}, {"name": "x", "way": "expr", "expr": LINES}):
        refused = site.post("/metrics-from-logs/new", **fields)
        assert refused.status_code == 400
        assert 'role="alert"' in refused.text
    assert site.metrics.definitions.list() == []
    site.world.metric("taken", EXPR)
    again = site.post("/metrics-from-logs/new", name="taken", way="expr", expr=EXPR)
    assert (again.status_code, "already created" in again.text) == (400, True)


def test_the_preview_alone_is_for_the_script_and_says_mistakes_inside(site: Site) -> None:
    part = site.get("/metrics-from-logs/new", expr="sum(", part="1")
    assert part.status_code == 200
    assert "<html" not in part.text
    assert 'role="alert"' in part.text


def test_rules_and_panels_that_read_a_metric_are_named(site: Site) -> None:
    site.world.metric("hits", EXPR)
    site.rules.rules = [RULE, {**RULE, "id": "r2", "name": "Other", "query": 'count_over_time({host="a"}[1m])'}]
    board = site.dashboards.create("mine", [Panel("hits now", EXPR, "curves")])
    page = site.get("/metrics-from-logs/hits").text
    assert '<a href="/alerts/rule/r1"><bdi>TooMany</bdi></a>' in page
    assert "Other" not in page
    assert f'href="/dashboard/{board.id}#panel-{board.panels[0].id}"' in page


def test_what_rules_record_is_listed_with_its_rule(site: Site) -> None:
    record = {**RULE, "id": "r3", "name": "job:hits", "query": EXPR, "type": "recording", "lastError": "late <b>"}
    site.rules.rules = [record]
    page = site.get("/metrics-from-logs").text
    assert "Recorded by rules" in page
    assert "late &lt;b&gt;" in page
    one = site.get("/metrics-from-logs/job:hits")
    assert one.status_code == 200
    assert "No value was recorded in this range." in one.text


def test_a_range_that_is_none_is_said(site: Site) -> None:
    site.world.metric("hits", EXPR)
    page = site.get("/metrics-from-logs/hits", **{"from": "whenever"})
    assert "is no time" in page.text
    assert site.get("/metrics-from-logs", page="x").status_code == 400


def test_plain_words_are_read_as_in_the_search(site: Site) -> None:
    page = site.get("/metrics-from-logs/new", way="form", statistic="count", filter="declined -debug")
    assert "(?i)declined&#34; !~ &#34;(?i)debug&#34;</textarea>" in page.text
    site.post("/metrics-from-logs/new", name="declined", way="form", statistic="count", filter="declined")
    assert "(?i)declined" in site.get("/metrics-from-logs/declined").text
    stages = site.get("/metrics-from-logs/new", way="form", statistic="count", filter="| status >= 500")
    assert "| status &gt;= 500</textarea>" in stages.text


def test_a_recorded_series_that_takes_too_long_keeps_its_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.rules.rules = [{**RULE, "id": "r3", "name": "job:hits", "query": EXPR, "type": "recording"}]

    def late(*_: object) -> None:
        raise TimeoutError("the query was given up after 60 s")

    monkeypatch.setattr("tailrace.web.explorer.metrics.views.drawn_series", late)
    page = site.get("/metrics-from-logs/job:hits")
    assert page.status_code == 200
    assert "the query was given up after 60 s" in page.text
