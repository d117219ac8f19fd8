"""Hostile text in every view: none of it becomes markup, runs, or breaks the policy; the page stays quick to answer."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from web.explorer import hostile
from web.explorer.browser import WAIT_MS, needs_chromium, settled
from web.explorer.test_every_view import bring_up, go
from web.explorer.views import VIEWS, View
from web.explorer.whole import Whole, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs_chromium

TRAPPED = """() => {
  const found = [...document.querySelectorAll("x-trap, [x-trap], [onerror], [onfocus], [style]")].map((node) => node.outerHTML);
  const links = [...document.querySelectorAll("[href], [src], [action]")].map(
    (node) => node.getAttribute("href") ?? node.getAttribute("src") ?? node.getAttribute("action"));
  found.push(...links.filter((link) => /^\\s*(javascript|data|http|\\/\\/)/i.test(link)));
  const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data, node = walk.currentNode.parentElement;
    if (/[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\u202a-\\u202e\\u2066-\\u2069]/.test(text) && !node.closest("bdi, textarea, title, option, pre"))
      found.push(`not isolated: ${node.outerHTML.slice(0, 300)}`);
    if (text.includes("62615533")) found.push(`template: ${node.outerHTML.slice(0, 300)}`);
  }
  return found.map((text) => text.slice(0, 300));
}"""
MOST_CHARS = 4_000_000
"""Of a page with a line of 1 MiB in it."""
MOST_ADDRESS = 8_000
"""Characters of an address that a server has to read."""


@pytest.fixture(scope="module")
def enemies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A whole server, much of whose content was written by enemies."""
    with running(tmp_path_factory.mktemp("hostile"), lines=300) as made:
        hostile.fill(made)
        yield made


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_view_shows_hostile_text_as_text(view: View, page: Page, enemies: Whole) -> None:
    go(page, enemies, view)
    bring_up(page, view)
    assert "\n".join(page.evaluate(TRAPPED)) == ""
    assert len(page.content()) < MOST_CHARS
    _answers(page)


ASKED = [f"{{app={text!r}}}" for text in ("<x-trap>", "\u202ex")] + [
    *hostile.TEXTS,
    f'{{source="shop"}} |= "{hostile.TAG}"',
    "{" * 500,
    "x" * 5_000,
]


@pytest.mark.parametrize(
    "path",
    [
        "/explore",
        "/files",
        "/alerts",
        "/alerts/edit",
        "/alerts/rules",
        "/metrics-from-logs/new",
        "/dashboard/add",
        "/pipeline",
        "/saved",
        "/logs/app/x",
    ],
)
def test_hostile_addresses_are_answered_without_harm(path: str, enemies: Whole) -> None:
    """Whatever stands in an address: a page, a redirect on this server or a refusal, nothing of it markup."""
    keys = (
        "q",
        "from",
        "to",
        "tab",
        "mode",
        "by",
        "cols",
        "cmp",
        "cur",
        "sel",
        "theme",
        "path",
        "as_of",
        "expr",
        "rule",
        "title",
        "state",
        "page",
        "x-trap",
    )
    for text in ASKED:
        for address in (
            f"{path}?{'&'.join(f'{key}={quote(text)}' for key in keys)}",
            f"{path}?q={quote(text)}",
            f"{path}/{quote(text, safe='')}",
        ):
            answer = enemies.client.get(address[:MOST_ADDRESS], headers={"Accept": "text/html"})
            assert answer.status_code < 500, f"{address[:200]}: {answer.status_code}"
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert not re.match(r"(https?:)?//|javascript:", answer.headers.get("location", ""))
            if "html" in answer.headers.get("content-type", ""):
                assert re.findall(r"<x-trap|<[a-z][^<>\"']*\sx-trap=|62615533", answer.text) == [], address[:200]


def test_a_line_of_a_mebibyte_is_opened_and_the_page_still_answers(page: Page, enemies: Whole) -> None:
    began = time.monotonic()
    query = quote('{source="shop"} |= "<x-trap><x-trap><x-trap>"')
    page.goto(f"{enemies.address}/explore?q={query}")
    settled(page)
    expect(page.locator("#lines .row")).to_have_count(1, timeout=WAIT_MS)
    page.locator("#lines .row summary").first.click()
    expect(page.locator(".row details[open]")).to_have_count(1)
    assert "\n".join(page.evaluate(TRAPPED)) == ""
    _answers(page)
    assert time.monotonic() - began < WAIT_MS / 1_000


def _answers(page: Page) -> None:
    """Assert that a page answers to a key, if it has the script."""
    if page.locator("html.js").count() and not page.locator("dialog[open]").count():
        page.keyboard.press("Escape")
        page.locator("#help-open").click()
        expect(page.locator("#help")).to_be_visible()
