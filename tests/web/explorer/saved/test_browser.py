"""Saving, sharing and exporting in a real browser, with and without script, by keyboard."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from web.conftest import S
from web.explorer.browser import WAIT_MS, needs_chromium, settled

pytestmark = needs_chromium


@pytest.fixture(autouse=True)
def _patience() -> None:
    expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def filled(room):
    room.house.store(*[(-S * number, f"line {number}") for number in range(1, 6)], level="info", host="a")
    return room


def test_a_search_is_saved_and_opened_by_keyboard(page: Page, filled) -> None:
    page.goto(filled.address + '/?q={host="a"} |= "line 3"&from=now-1h')
    settled(page)
    page.keyboard.press("Control+k")
    page.keyboard.type("save this")
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("Third lines")
    page.keyboard.press("Enter")
    expect(page.locator(".comes-from")).to_have_text("Third lines")
    expect(page.locator("#lines > .row")).to_have_count(1)
    page.goto(filled.address + "/")
    settled(page)
    page.keyboard.press("Control+k")
    page.keyboard.type("saved searches")
    page.keyboard.press("Enter")
    link = page.locator(".saved-box").get_by_role("link", name="Third lines")
    expect(link).to_be_visible()
    link.focus()
    page.keyboard.press("Escape")
    expect(page.locator(".saved-box")).to_be_hidden()
    expect(page.locator(".saved-menu summary")).to_be_focused()
    page.keyboard.press("Enter")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#lines > .row")).to_have_count(1)


@pytest.mark.parametrize("script", [True, False])
def test_a_search_is_saved_changed_shared_and_deleted(page: Page, plain_page: Page, filled, script: bool) -> None:
    page = page if script else plain_page
    page.goto(filled.address + "/?from=now-1h")
    page.get_by_role("link", name="Save", exact=True).click()
    page.get_by_label("Name", exact=True).fill("All")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".comes-from")).to_have_text("All")
    page.get_by_role("link", name="Wrap", exact=True).click()
    expect(page.locator(".comes-from")).to_contain_text("not saved")
    page.get_by_role("link", name="Save", exact=True).click()
    page.get_by_role("button", name="Save version 2").click()
    expect(page.locator(".comes-from")).to_have_text("All")
    page.get_by_role("link", name="Share").click()
    page.get_by_role("button", name="Make it short").click()
    page.goto(page.get_by_label("Short address").input_value())
    expect(page.locator("#lines > .row")).to_have_count(5)
    assert "from=2025-12-31T23%3A00%3A00Z&to=2026-01-01T00%3A00%3A00Z&mode=wrap" in page.url
    page.goto(filled.address + "/saved")
    page.get_by_role("link", name="Details of All").click()
    page.get_by_role("button", name="Bring back version 1").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    page.locator("summary", has_text="Delete this search").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator("main")).to_contain_text("Nothing is saved yet")


@pytest.mark.parametrize("script", [True, False])
def test_an_export_is_a_file_and_says_when_it_is_whole(page: Page, plain_page: Page, filled, script: bool) -> None:
    page = page if script else plain_page
    page.goto(filled.address + "/?from=now-1h")
    page.get_by_role("link", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == ("tailrace_service_name_20251231T230000Z_20260101T000000Z.jsonl")
    rows = [json.loads(line) for line in download.value.path().read_text().splitlines()]
    assert [row["line"] for row in rows[:-1]] == [f"line {number}" for number in range(1, 6)]
    assert rows[-1]["export"]["rows"] == 5
    if script:
        expect(page.locator("#export-said")).to_have_text(re.compile(r"Done: 5 rows, 0\.0 MB, complete\."))
        expect(page.locator("#export-cancel")).to_be_hidden()


def test_an_export_can_be_cancelled_and_says_so(page: Page, filled, monkeypatch: pytest.MonkeyPatch) -> None:
    from tailrace.web import exports

    whole = exports.pages

    def slowly(*given):
        asked = given[0]
        while not asked.cancelled():  # a long search for the first line
            yield from whole(*given)

    monkeypatch.setattr(exports, "pages", slowly)
    page.goto(filled.address + "/explore/export?from=now-1h")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
        expect(page.locator("#export-said")).to_contain_text("rows, ")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#export-said")).to_contain_text("Cancelled. The file is not complete.")
    assert download.value.failure() is not None
