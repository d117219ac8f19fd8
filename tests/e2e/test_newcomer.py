"""A newcomer without the documents: `tailrace up` on a folder, then the page alone, to an alert that calls a webhook.

Everything is found by what stands on the page: names of links, buttons and fields. Under five minutes are promised; most
of the time here is what a rule and a group of notices wait anyway.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from alerts.notify.inboxes import WebInbox
from e2e.program import Up, until
from web.explorer.browser import CHROMIUM, WAIT_MS, Complaints, launched, settled, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]

PROMISED_S = 300
TOLD_S = 150
"""A minute until the rule looks, half a minute until the group is told, and as much again for a busy machine."""


@pytest.fixture
def page() -> Iterator[Page]:
    with launched() as chromium, watched(chromium, Complaints()) as opened:
        yield opened


@pytest.fixture
def web() -> Iterator[WebInbox]:
    with WebInbox() as opened:
        yield opened


def test_from_a_folder_of_logs_to_a_webhook_that_is_called(
    page: Page, web: WebInbox, make_up: Callable[..., Up], tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    log = logs / "shop.log"
    log.write_text("".join(f"{row(-600 + number, 'info', f'order {number} placed')}\n" for number in range(30)))
    began = time.monotonic()
    up = make_up(logs)
    up.start()
    up.ready()

    page.goto(up.url)
    until(lambda: look(page, "order"), 60, "the lines are on the page")

    # what went wrong? Plain words will do
    with log.open("a") as file:
        file.writelines(f"{row(-20 * number, 'error', f'payment of order {number} declined')}\n" for number in range(9))
    page.get_by_role("textbox", name="query").fill("declined")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=**")
    until(lambda: look(page, "declined"), 60, "the search finds them")
    expect(page.locator("#q")).to_have_value('{service_name=~".+"} |~ "(?i)declined"')

    page.get_by_role("link", name="Make alert").click()
    page.wait_for_url("**/alerts/edit**")
    page.get_by_label("Name", exact=True).fill("Declined")
    page.get_by_label("Post notices to this address").fill(f"{web.url}/hook")
    expect(page.get_by_role("region", name="Preview", exact=True)).to_contain_text("would have fired", timeout=WAIT_MS)
    page.get_by_role("button", name="Save alert").click()
    page.wait_for_url(lambda url: "/alerts/edit" not in url)
    expect(page.locator("main")).to_contain_text("Declined")

    until(lambda: web.got, TOLD_S, "the webhook is called")
    assert time.monotonic() - began < PROMISED_S
    (alert,) = web.got[0].json["alerts"]
    assert alert["status"] == "firing"
    assert alert["labels"]["alertname"] == "Declined"
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Alerts").click()
    expect(page.locator("main")).to_contain_text("Declined", timeout=WAIT_MS)
    expect(page.locator("main")).to_contain_text("firing")


def row(at_s: float, level: str, message: str) -> str:
    """Return a line of so many seconds from now."""
    return json.dumps({"ts": time.time() + at_s, "level": level, "message": message})


def look(page: Page, text: str) -> bool:
    """Load the page again, as a reader would, and tell whether a line has a text."""
    page.reload()
    settled(page)
    return page.locator("#lines .row", has_text=text).count() > 0
