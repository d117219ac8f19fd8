"""The alerts room in a real browser: from nothing to a webhook that rings, by keyboard, with script and without."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from web.explorer.alerts.conftest import Hook, Room
from web.explorer.alerts.test_editor import Q, booms
from web.explorer.alerts.test_views import BOOM, fires
from web.explorer.browser import Complaints, needs_axe, needs_chromium

pytestmark = needs_chromium
LONG_MS = 20_000
expect.set_options(timeout=LONG_MS)


def tab_to(page: Page, selector: str, most: int = 60) -> None:
    """Go to an element as a keyboard does."""
    for _ in range(most):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"no way to {selector} by Tab")


def rings(room: Room, hook: Hook) -> None:
    """Have lines come in, and see that the webhook is told."""
    room.pass_time(0)
    room.store(*BOOM, host="a")
    room.pass_time(60)
    room.pass_time(30)
    assert [one["alerts"][0]["labels"]["alertname"] for one in hook.got] == ["cart boom"]


def test_by_keyboard_from_nothing_to_a_webhook_that_rings(page: Page, room: Room, hook: Hook) -> None:
    booms(room, 30)
    page.goto(room.address + "/alerts")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile("/alerts/edit$"))
    tab_to(page, "input[name=over]")
    page.keyboard.press("Control+a")
    page.keyboard.type("1m")
    tab_to(page, "#alert-q")
    page.keyboard.type(Q)
    tab_to(page, "input[name=n]")
    page.keyboard.press("Control+a")
    page.keyboard.type("2")
    expect(page.locator("#alert-written")).to_have_text(
        'sum(count_over_time({service_name="cart"} |= "boom" [1m])) > 2'
    )
    expect(page.locator("#alert-preview .verdict")).to_contain_text("It would have fired 1 time, 1m in all.")
    expect(page.locator("#alert-preview svg .band")).to_have_count(1)
    tab_to(page, "#alert-name")
    page.keyboard.type("cart boom")
    tab_to(page, "#alert-webhook")
    page.keyboard.type(hook.url)
    tab_to(page, "#alert-save")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/alerts/rule/[0-9a-f]+\?saved=1$"))
    expect(page.get_by_role("status").first).to_contain_text("Saved.")
    rings(room, hook)
    page.goto(room.address + "/")
    expect(page.locator(".views")).to_contain_text("1 firing")
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator(".alert-firing")).to_contain_text("cart boom")
    page.keyboard.press("j")
    expect(page.locator(".alert h3 a")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#alerts-q")).to_be_focused()


def test_without_script_the_same(plain_page: Page, room: Room, hook: Hook) -> None:
    page = plain_page
    booms(room, 30)
    page.goto(f"{room.address}/alerts/edit?q={Q}")
    expect(page.locator("#alert-name")).to_have_value("cart boom")
    page.locator("input[name=over]").fill("1m")
    page.locator("input[name=n]").fill("2")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#alert-preview .verdict")).to_contain_text("It would have fired 1 time")
    page.get_by_role("button", name="Back-test 30 days").click()
    expect(page.locator("#alert-test")).to_contain_text("43,200 windows")
    page.locator("#alert-webhook").fill(hook.url)
    page.get_by_role("button", name="Save alert").click()
    expect(page).to_have_url(re.compile(r"/alerts/rule/[0-9a-f]+\?saved=1$"))
    rings(room, hook)
    page.goto(room.address + "/alerts/receivers")
    page.get_by_role("button", name="Test webhook").click()
    expect(page.get_by_role("status").first).to_contain_text("took the message")


def test_a_mistake_is_pointed_at_while_it_is_typed_and_goes_again(page: Page, room: Room) -> None:
    page.goto(f"{room.address}/alerts/edit?q={Q}")
    page.locator("#alert-q").fill('{service_name="cart"} |= boom')
    expect(page.locator("#alert-preview .error pre")).to_contain_text("line 1, column 26")
    page.locator("#alert-q").fill(Q)
    expect(page.locator("#alert-preview .error")).to_have_count(0)
    expect(page.locator("#alert-written")).to_be_visible()


def test_a_back_test_runs_beside_the_form_and_can_be_stopped(page: Page, room: Room, complaints: Complaints) -> None:
    booms(room, 30)
    page.goto(f"{room.address}/alerts/edit?q={Q}&name=x")
    page.locator("#alert-backtest").click()
    expect(page.locator("#alert-test .stats")).to_contain_text("fired")
    assert "days=30" not in page.url

    page.route("**/alerts/edit/backtest*", lambda _route: None)  # one that takes for ever
    page.locator("#alert-backtest").click()
    expect(page.locator("#alert-test")).to_contain_text("Reading 30 days")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#alert-test")).to_contain_text("The back-test was stopped.")
    complaints.permit("net::ERR_ABORTED")


@needs_axe
def test_axe_finds_nothing_where_there_is_much_to_see(
    page: Page, room: Room, hook: Hook, axe: Callable[..., list[str]], complaints: Complaints
) -> None:
    complaints.permit("status of 400")
    hook.status = 400
    room.post("/alerts/receivers", name="ops", way="webhook", url=hook.url, tell="all", group_wait="0s")
    name = fires(room, labels={"severity": "page"}, annotations={"summary": "so many"})
    room.post("/alerts/silences", matchers='alertname="Boom"', comment="known", **{"for": "1h"})
    booms(room, 30, 90)
    for path in (
        "/alerts?by=severity",
        f"/alerts/rule/{name}",
        "/alerts/silences",
        "/alerts/outbox",
        f"/alerts/edit?q={Q}&n=1&over=1m&name=x&measure=value&days=30",
        f"/alerts/edit?q={Q}&n=1&over=1m&name=x&days=30",
    ):
        page.goto(room.address + path)
        page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
        assert "\n".join(axe(page)) == "", path
        page.emulate_media(color_scheme="dark")
        assert "\n".join(axe(page, "color-contrast")) == "", path
        page.emulate_media(color_scheme="light")
