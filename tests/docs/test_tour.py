"""The tour works as written: its steps, in comments between its sentences, are taken in a browser one after the other.

A step is a verb and what it is about: `go /path`, `press KEY`, `type TEXT` (into what has the focus), `fill LABEL = TEXT`,
`click NAME` (a link, a button or a tab), `see "TEXT"`, and `query TEXT` (what the query box holds).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from docs.pages import ROOT
from web.explorer.browser import CHROMIUM, WAIT_MS, Complaints, launched, settled, watched
from web.explorer.whole import Whole, running

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]

TOUR = (ROOT / "docs/tutorial/tour.md").read_text("utf-8")
STEP = re.compile(r"<!-- step: (\w+) (.+?) -->")


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("tour")) as made:
        yield made


@pytest.fixture
def page() -> Iterator[Page]:
    with launched() as chromium, watched(chromium, Complaints(), viewport={"width": 1_280, "height": 900}) as opened:
        yield opened


def test_every_step_of_the_tour_can_be_taken(page: Page, shop: Whole) -> None:
    steps = STEP.findall(TOUR)
    assert len(steps) == TOUR.count("<!-- step:")
    assert len(steps) > 30
    for place, (verb, about) in enumerate(steps):
        try:
            take(page, shop.address, verb, about)
        except AssertionError as error:
            raise AssertionError(f"step {place + 1}, {verb} {about}, at {page.url}: {error}") from error


def take(page: Page, address: str, verb: str, about: str) -> None:
    """Take one step, and wait until the page is still."""
    if verb == "go":
        page.goto(address + about)
    elif verb == "press":
        page.keyboard.press(about)
    elif verb == "type":
        page.keyboard.press("Control+a")
        page.keyboard.type(about)
    elif verb == "fill":
        label, _, text = about.partition(" = ")
        page.get_by_label(label, exact=True).fill(text)
    elif verb == "click":
        named = re.compile(rf"^{re.escape(about)}\b")
        page.get_by_role("link", name=named).or_(page.get_by_role("button", name=named)).first.click()
    elif verb == "see":
        expect(page.locator("body")).to_contain_text(about.strip('"'), timeout=WAIT_MS)
    elif verb == "query":
        expect(page.locator("#q")).to_have_value(about, timeout=WAIT_MS)
    else:
        raise AssertionError("there is no such verb")
    settled(page)
