"""The pipeline as a reader has it."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from urllib.parse import parse_qs, urlsplit

import httpx

from tailrace.contracts import Followed
from tailrace.web.app import create_app
from tailrace.web.explorer.pipeline.views import source_url
from web.conftest import NOW_NS, House, S, _served

HTML = {"Accept": "text/html"}


def test_nothing_read_adds_up_and_says_what_to_do(house: House) -> None:
    page = house.client.get("/pipeline", headers=HTML)
    assert page.status_code == 200
    assert "Nothing was read yet" in page.text
    assert "adds up" in page.text


def test_the_sum_is_shown_and_what_is_missing_of_it(house: House) -> None:
    house.accounts.read("files", 12_345, 99)
    house.accounts.settle("files", "stored", 12_000, 90)
    page = house.client.get("/pipeline").text
    assert "12,345 read = 12,000 stored + 0 reduced + 0 rejected + 345 on their way" in page
    house.accounts._accounts["files"].lines["pending"] = 5
    page = house.client.get("/pipeline").text
    assert "340 unaccounted for" in page
    assert "does not add up" in page


def test_rules_and_notes_of_a_source_are_told(house: House) -> None:
    house.accounts.read("files", 10, 99)
    house.accounts.count("tailrace_reduced_lines_total", "", 4, source="files", rule="<drop>")
    house.accounts.gauge("tailrace_truncations", "", lambda: [({"source": "files"}, 3)])
    page = house.client.get("/pipeline").text
    assert "&lt;drop&gt;" in page
    assert "40.0 %" in page
    assert "<b>3</b> truncations" in page


def test_a_source_and_what_did_not_fit_lead_to_their_lines(house: House) -> None:
    house.accounts.read("pushed", 1, 9)
    house.accounts.gauge("tailrace_lag_bytes", "", lambda: [({"source": "my app"}, 0)])
    house.accounts.count("tailrace_parse_errors_total", "", 2, source="my app", error="JSONParserErr")
    page = house.client.get("/pipeline").text
    lines = source_url("my app")
    assert parse_qs(urlsplit(lines).query) == {"q": ['{source="my app"}'], "from": ["now-24h"]}
    assert f'<a href="{escape(lines)}"><bdi>my app</bdi></a>' in page
    wrong = source_url("my app", "JSONParserErr")
    assert parse_qs(urlsplit(wrong).query)["q"] == ['{source="my app"} | detected_error="JSONParserErr"']
    assert f'<a href="{escape(wrong)}"><bdi>JSONParserErr</bdi></a>' in page
    assert '<th scope="row" class="mono"><bdi>pushed</bdi></th>' in page  # which is no label of its lines


def test_files_are_searched_and_paged(house: House) -> None:
    followed = [Followed(f"/var/log/{number:03}.log", 1, 2, "following") for number in range(150)]
    followed.append(Followed("/var/log/<b>.log", 0, 0, "unreadable", "Permission denied"))
    services = replace(house.services, followed=lambda: followed)
    with _served(create_app(services)) as address, httpx.Client(base_url=address, trust_env=False) as client:
        first, second = (client.get("/pipeline/files", params={"page": page}).text for page in ("1", "2"))
        found = client.get("/pipeline/files", params={"file": "denied", "state": "unreadable"}).text
        whole = client.get("/pipeline").text
        assert client.get("/pipeline/files", params={"page": "x"}).status_code == 400
    assert (first.count('scope="row"'), second.count('scope="row"')) == (100, 51)
    assert 'rel="next"' in first
    assert 'rel="next"' not in second
    assert found.count('scope="row"') == 1
    assert "/var/log/&lt;b&gt;.log" in found
    assert 'href="/pipeline/files">All 151 files' in whole


def test_rejects_are_shown_with_why(house: House) -> None:
    assert "Every line of the last day fits its format" in house.client.get("/pipeline/rejects").text
    house.store((-S, "{broken <b>"), fields={"_error": "JSONParserErr"})
    house.store((-S, "whole"))
    page = house.client.get("/pipeline/rejects").text
    assert "{broken &lt;b&gt;" in page
    assert "JSONParserErr" in page
    assert "whole</bdi>" not in page
    part = house.client.get("/pipeline/rejects", params={"part": "1"}).text
    assert "<html" not in part
    assert "{broken &lt;b&gt;" in part
    assert NOW_NS  # the clock of the house stands


def test_agents_are_listed_when_they_sent_something(house: House) -> None:
    assert "Agents" not in house.client.get("/pipeline").text
    assert "No agent sent anything" in house.client.get("/status", headers=HTML).text
