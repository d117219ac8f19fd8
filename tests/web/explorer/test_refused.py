"""What is refused is a page for a browser, and a line of text for everybody else."""

from __future__ import annotations

import pytest

from web.conftest import House

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("method", "path", "status", "heading"),
    [
        ("GET", "/nothing/of/this", 404, "There is nothing here"),
        ("GET", "/explore/export/none", 404, "There is nothing here"),
        ("POST", "/pipeline", 405, "This cannot be done here"),
        ("GET", "/pipeline?page=x", 400, "This was not understood"),
    ],
)
def test_a_browser_gets_a_page_that_leads_on(house: House, method: str, path: str, status: int, heading: str) -> None:
    page = house.client.request(method, path, headers=BROWSER)
    plain = house.client.request(method, path)
    assert (page.status_code, plain.status_code) == (status, status)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert plain.headers["content-type"].startswith("text/plain")
    assert f"<h1>{heading}</h1>" in page.text
    assert plain.text.split("'")[0] in page.text
    assert page.headers["content-security-policy"] == plain.headers["content-security-policy"]
    assert ('<a class="button" href="/pipeline">' in page.text) == path.startswith("/pipeline")


def test_what_was_typed_is_escaped(house: House) -> None:
    page = house.client.get("/pipeline", params={"page": "<b onclick=x>"}, headers=BROWSER)
    assert "<b onclick" not in page.text
    assert "&lt;b onclick=x&gt;" in page.text


def test_programs_are_answered_as_ever(house: House) -> None:
    answer = house.client.get("/loki/api/v1/query_range", params={"query": "{"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert house.client.get("/api/v1/nothing", headers=BROWSER).headers["content-type"] == "application/json"
