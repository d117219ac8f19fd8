"""Every view, with script and without: the same headings and as many rows; none leads nowhere or says too little."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page
from starlette.routing import compile_path

from security.conftest import routes
from web.explorer.browser import needs_chromium, settled
from web.explorer.views import NO_VIEWS, VIEWS, View, filled, links

if TYPE_CHECKING:
    from web.explorer.whole import Whole

SEEN = """() => {
  const shown = (node) => node.checkVisibility() && !node.closest(".script, dialog");
  const texts = (what) => [...document.querySelectorAll(what)].filter(shown).map((node) => node.innerText.trim());
  return {
    title: document.title,
    headings: texts("main h1, main h2, main h3"),
    tables: [...document.querySelectorAll("main table:not(.as-table)")].filter(shown).map((table) => table.rows.length),
    lines: [...document.querySelectorAll("#lines .row")].map((row) => row.dataset.at),
  };
}"""
OF_PROGRAMS = ("/api/", "/loki/", "/prometheus/", "/elasticsearch", "/ship/")  # second names of what the schema tells
FOLLOWED = 200  # pages that the test of links looks at, at most


def go(page: Page, whole: Whole, view: View, *, script: bool = True) -> None:
    """Go to a view, and wait until it is all there."""
    answer = page.goto(whole.address + filled(view, whole))
    assert answer is not None
    assert answer.status == view.status, f"{view.path}: {answer.status}"
    if view.script and script:
        settled(page)


def bring_up(page: Page, view: View) -> None:
    """Open what a view is to show open."""
    for selector in view.opens:
        page.locator(selector).first.click()
    for key in view.keys:
        page.keyboard.press(key)


def seen(page: Page) -> dict[str, Any]:
    """Return what a page shows, its numbers left out: they go on while one looks."""
    found: dict[str, Any] = page.evaluate(SEEN)
    found["headings"] = [re.sub(r"[\d.,:]+|\bno\b", "0", text) for text in found["headings"]]
    found["title"] = re.sub(r"\d+", "0", found["title"])
    return found


@needs_chromium
@pytest.mark.parametrize("view", [one for one in VIEWS if not one.opens and not one.keys], ids=lambda view: view.name)
def test_a_view_is_the_same_with_script_and_without(view: View, page: Page, plain_page: Page, whole: Whole) -> None:
    go(plain_page, whole, view, script=False)
    without = seen(plain_page)
    assert plain_page.locator("h1").count() == 1
    assert without["title"]
    go(page, whole, view)
    found = seen(page)
    found["lines"] = found["lines"][: len(without["lines"])]  # with script the list has no end
    shown = iter(found["tables"])  # and tables come that are a link without
    found["tables"] = [rows for rows in without["tables"] if rows in shown]
    assert found == without


def test_every_route_of_the_page_is_a_view(whole: Whole) -> None:
    told = set(whole.app.openapi()["paths"])
    pages = {
        path
        for method, path in routes(whole.app)
        if method == "GET" and path not in told and not path.startswith(OF_PROGRAMS)
    }
    paths = [urlsplit(view.path).path for view in VIEWS]
    missing = [
        path for path in sorted(pages - set(NO_VIEWS)) if not any(compile_path(path)[0].fullmatch(one) for one in paths)
    ]
    assert "\n".join(missing) == ""
    assert set(NO_VIEWS) - pages == set()


def test_no_link_leads_nowhere(whole: Whole) -> None:
    """From page to page as a reader goes, each kind of address once: by its path without numbers, and its keys."""
    waiting, known, wrong = ["/"], set[str](), list[str]()
    while waiting and len(known) < FOLLOWED:
        address = waiting.pop(0)
        parts = urlsplit(address)
        kind = re.sub(r"[0-9a-f]{6,}|\d+", "0", parts.path) + str(sorted({key for key, _ in parse_qsl(parts.query)}))
        if kind in known or parts.path.startswith(("/static/", "/theme", "/api/")):
            continue
        known.add(kind)
        with whole.client.stream("GET", address, headers={"Accept": "text/html"}, follow_redirects=True) as answer:
            html = answer.headers.get("content-type", "").startswith("text/html")
            text = answer.read().decode() if html else ""
            explained = answer.status_code == 400 and 'role="alert"' in text  # as for a time before anything was known
            if answer.status_code != 200 and not explained:
                wrong.append(f"{address}: {answer.status_code}")
            waiting += links(text)
    assert "\n".join(wrong) == ""
    assert len(known) > len(VIEWS) / 2
