"""The search on a phone: lines are on the first screen, and what is folded to make room for them can be reached."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from web.conftest import House, S
from web.explorer.browser import WAIT_MS, needs_chromium

pytestmark = needs_chromium
PHONE = {"width": 390, "height": 844}
expect.set_options(timeout=WAIT_MS)


def visit(page: Page, house: House) -> None:
    house.store(*[(-number * S, f"order {number} paid") for number in range(1, 41)], level="info", host="a")
    page.set_viewport_size(PHONE)
    page.goto(f"{str(house.client.base_url).rstrip('/')}/explore?from=now-1h")


def test_the_first_screen_of_a_phone_has_lines_and_how_to_change_the_range(house: House, plain_page: Page) -> None:
    visit(plain_page, house)
    expect(plain_page.locator("#lines .row").nth(2)).to_be_in_viewport(ratio=1)
    start, share = plain_page.locator("#from"), plain_page.get_by_role("link", name="Share")
    expect(start).not_to_be_visible()
    expect(share).not_to_be_visible()
    plain_page.get_by_text("Range:").click()
    expect(start).to_be_visible()
    plain_page.get_by_role("link", name="15 min").click()
    expect(plain_page).to_have_url(re.compile("from=now-15m"))
    expect(plain_page.locator(".ask summary")).to_contain_text("last 15 min")
    plain_page.get_by_text("More", exact=True).click()
    share.click()
    expect(plain_page).to_have_url(re.compile("/explore/share"))


def test_the_list_of_keys_begins_at_its_head_and_ends_at_its_switch(house: House, page: Page) -> None:
    visit(page, house)
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys", exact=True)).to_be_in_viewport(ratio=1)
    page.keyboard.press("Tab")
    expect(page.get_by_label("Single keys do what this list says")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).not_to_be_visible()


def test_what_is_folded_on_a_phone_is_open_where_there_is_room(house: House, page: Page) -> None:
    visit(page, house)
    page.keyboard.press("t")
    expect(page.locator("#earlier")).to_be_focused()
    expect(page.locator("#earlier")).to_be_visible()
    page.reload()
    expect(page.locator("#from")).not_to_be_visible()
    page.set_viewport_size({"width": 1_280, "height": 800})
    expect(page.locator("#from")).to_be_visible()
    expect(page.get_by_role("link", name="Share")).to_be_visible()
    expect(page.get_by_text("Range:")).not_to_be_visible()
