"""The status in a browser: on a phone the navigation is wider than the window, and begins where one is."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from web.conftest import House
from web.explorer.browser import WAIT_MS, needs_chromium


@needs_chromium
def test_where_one_is_stands_in_view_on_a_phone(page: Page, house: House) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{str(house.client.base_url).rstrip('/')}/status")
    here = page.get_by_role("navigation", name="Views").get_by_role("link", name="Status")
    expect(here).to_have_attribute("aria-current", "page", timeout=WAIT_MS)
    expect(here).to_be_in_viewport(ratio=1, timeout=WAIT_MS)
