"""The query box in a real browser: suggestions, mistakes, history, the range by keys, cancelling."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Locator, Page, Route, expect

from web.conftest import House, S, wait_until
from web.explorer.browser import WAIT_MS, Complaints, needs_chromium

pytestmark = needs_chromium
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def filled(house: House) -> House:
    house.store(
        *[(-S * at, f"line {at}") for at in range(1, 9)], level="info", host="a", pod="web-1", fields={"status": 7}
    )
    house.store((-20 * S, "other"), host="b", pod="db")
    return house


def visit(page: Page, house: House, path: str = "/") -> None:
    page.goto(str(house.client.base_url).rstrip("/") + path)


def write(page: Page, text: str) -> None:
    page.locator("#q").fill("")
    page.locator("#q").press_sequentially(text)


def option(page: Page, name: str) -> Locator:
    return page.locator("#offers [role=option]", has_text=name)


def test_a_query_is_written_with_suggestions_by_keys(filled: House, page: Page, axe: Callable[..., list[str]]) -> None:
    visit(page, filled)
    box = page.locator("#q")
    write(page, "{po")
    expect(page.locator("#offers [role=option]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(option(page, "pod")).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "offer-0")
    page.keyboard.press("Enter")
    expect(box).to_have_value('{pod="')
    expect(option(page, "web-1")).to_contain_text("8")
    assert axe(page) == []
    page.keyboard.press("ArrowUp")
    expect(option(page, "db")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(box).to_have_value('{pod="web-1"')
    expect(page.locator("#offers")).to_be_hidden()
    expect(box).to_be_focused()
    page.keyboard.type("}")
    page.keyboard.press("Escape")
    page.locator("#q").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#lines .row")).to_have_count(8)


def test_suggestions_by_mouse_and_away_with_escape(filled: House, page: Page) -> None:
    visit(page, filled)
    write(page, "error sta")
    option(page, "status").click()
    expect(page.locator("#q")).to_have_value("error status:")
    expect(option(page, "7")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#offers")).to_be_hidden()
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.press("Control+Space")
    expect(option(page, "7")).to_be_visible()
    page.locator("#q").blur()
    expect(page.locator("#offers")).to_be_hidden()


def test_an_old_answer_never_takes_the_place_of_a_newer_one(filled: House, page: Page) -> None:
    visit(page, filled)
    held: list[Route] = []

    def answer(route: Route) -> None:
        if route.request.url.split("q=%7B")[1].startswith("h&"):
            held.append(route)  # the older question is answered when the newer one has been
        else:
            route.continue_()

    page.route("**/explore/complete*", answer)
    with page.expect_request("**/explore/complete*q=%7Bh&*"):
        write(page, "{h")
    page.keyboard.press("Backspace")
    page.keyboard.type("pod")
    expect(page.locator("#offers [role=option]")).to_have_text([re.compile("pod")])
    with suppress(Error):  # the page does not wait for it any more
        held[0].continue_()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#offers [role=option]")).to_have_text([re.compile("pod")])


def test_a_mistake_stands_under_the_box_and_the_result_stays(
    filled: House, page: Page, axe: Callable[..., list[str]]
) -> None:
    visit(page, filled)
    expect(page.locator("#lines .row")).to_have_count(9)
    page.locator("#q").fill('{host="a"} | jso')
    page.locator("#q").press("Control+Enter")
    expect(page.locator("#query-error")).to_contain_text("did you mean 'json'?")
    expect(page.locator("#query-said")).to_contain_text("the result of the one before")
    expect(page.locator("#q")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#lines .row")).to_have_count(9)
    assert "q=" not in page.url
    assert axe(page) == []
    page.locator("#query-error a").first.click()
    expect(page.locator("#q")).to_have_value('{host="a"} | json')
    expect(page.locator("#lines .row")).to_have_count(8)


def test_queries_before_come_back_by_keys(filled: House, page: Page) -> None:
    visit(page, filled)
    box = page.locator("#q")
    for host in "ab":
        box.fill(f'{{host="{host}"}}')
        box.press("Shift+Enter")
        page.wait_for_url(f"**q=%7Bhost%3D%22{host}%22%7D*")
    box.fill("draft")
    box.press("Control+ArrowUp")
    expect(box).to_have_value('{host="b"}')
    box.press("Control+ArrowUp")
    expect(box).to_have_value('{host="a"}')
    box.press("Control+ArrowDown")
    box.press("Control+ArrowDown")
    expect(box).to_have_value("draft")


def test_words_can_be_gone_on_with(filled: House, page: Page) -> None:
    visit(page, filled)
    write(page, "line status:7")
    page.keyboard.press("Escape")
    page.locator("#q").press("Enter")
    expect(page.locator("#q")).to_have_value('{service_name=~".+"} |~ "(?i)line" | status="7"')
    page.locator("#words").click()
    expect(page.locator("#q")).to_have_value("line status:7")
    expect(page.locator("#q")).to_be_focused()


def test_the_range_is_moved_by_keys(filled: House, page: Page) -> None:
    visit(page, filled, "/?from=2025-12-31T22:00:00Z&to=2025-12-31T23:00:00Z")
    page.keyboard.press("t")
    expect(page.locator("#earlier")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**from=2025-12-31T23*")
    expect(page.locator("#lines .row")).to_have_count(9)
    page.keyboard.press("[")
    page.wait_for_url("**from=2025-12-31T22*")
    page.keyboard.press("]")
    page.wait_for_url("**from=2025-12-31T23*")
    page.keyboard.press("z")
    page.wait_for_url("**from=2025-12-31T22*to=2026-01-01T00*")


CANCEL_WHEN_BEGUN = """async () => {
  while ((await fetch("/ready")).ok) await new Promise((done) => setTimeout(done, 50));
  document.querySelector("#cancel").click();
}"""
"""Done by the page itself: whoever drives the browser waits, once a page is asked for, until it is there."""


def test_cancel_ends_the_query_on_the_server(
    filled: House, page: Page, complaints: Complaints, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tailrace.query.reads import nobody
    from tailrace.web.explorer.search import pages

    ended = threading.Event()

    def slow(*_: object, **__: object) -> None:
        filled.is_ready[0] = False  # what the page sees of it
        wait_until(nobody, 60)
        ended.set()

    visit(page, filled)
    monkeypatch.setattr(pages, "page", slow)
    complaints.permit("/ready")
    page.evaluate(f"() => {{ ({CANCEL_WHEN_BEGUN})(); }}")
    page.locator("#q").fill('{host="a"}')
    page.locator("#q").press("Enter", no_wait_after=True)
    assert ended.wait(60)
    expect(page.locator("#query-said")).to_contain_text("Cancelled after")
    expect(page.locator("#running")).to_be_hidden()
    expect(page.locator("#lines .row")).to_have_count(9)


def test_without_script_the_box_works(filled: House, plain_page: Page) -> None:
    page = plain_page
    visit(page, filled)
    page.locator("#q").fill('{host="a"} |= "line" | json | status >= 7 | line_format "{{.status}}"')
    page.get_by_role("button", name="Format").click()
    expect(page.locator("#q")).to_have_value(
        '{host="a"}\n  |= "line"\n  | json\n  | status >= 7\n  | line_format "{{.status}}"'
    )
    page.locator("#q").fill("line -8")
    page.locator("#from").fill("now-1h")
    page.locator("#from").press("Enter")
    expect(page.locator("#q")).to_have_value('{service_name=~".+"} |~ "(?i)line" != "8"')
    page.locator("#words").click()
    expect(page.locator("#q")).to_have_value("line -8")
    page.locator("#out").click()
    page.wait_for_url("**from=now-2h*")
    page.locator("#earlier").click()
    page.wait_for_url("**from=2025-12-31T20*")
    expect(page.locator("#running")).to_be_hidden()
