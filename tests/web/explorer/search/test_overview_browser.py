"""The counts in a real browser: a range by keys and by drag, menus, and values that are found while typing."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from web.conftest import House, S

RANGE = "from=2025-12-31T23:59:00Z&to=2026-01-01T00:00:00Z"


@pytest.fixture
def filled(house: House) -> House:
    house.store(
        *[(-number * S, f"order {number} paid") for number in range(1, 61)], level="info", host="a", fields={"n": 7}
    )
    return house


def visit(page: Page, house: House, path: str) -> None:
    page.goto(str(house.client.base_url).rstrip("/") + path)


def test_a_range_is_chosen_by_keys(page: Page, filled: House) -> None:
    visit(page, filled, f"/explore?{RANGE}")
    page.keyboard.press("h")
    slider = page.get_by_role("slider", name=re.compile("Counts over time"))
    expect(slider).to_be_focused()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("23:59:00 +1 lines, 1 info"))
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("23:59:01 to .* 23:59:04 +3 lines"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"from=2025-12-31T23%3A59%3A01Z&to=2025-12-31T23%3A59%3A04Z"))
    expect(page.locator("#overview-title")).to_contain_text("3 lines")


def test_a_range_is_chosen_by_drag_and_by_click(page: Page, filled: House) -> None:
    visit(page, filled, f"/explore?{RANGE}")
    box = page.locator("#histogram svg").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    bar = box["width"] / 60
    page.mouse.move(box["x"] + 10.5 * bar, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 19.5 * bar, middle, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"from=2025-12-31T23%3A59%3A10Z&to=2025-12-31T23%3A59%3A20Z"))
    expect(page.locator("#overview-title")).to_contain_text("10 lines")
    page.locator("#histogram a").nth(30).click(position={"x": 1, "y": 10})
    expect(page.locator("#overview-title")).to_contain_text(re.compile("[01] lines"))


def test_a_menu_opens_and_closes_by_keys(page: Page, filled: House) -> None:
    visit(page, filled, f"/explore?{RANGE}")
    menu = page.locator(".menu", has_text="split by")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="host")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("link", name="host")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_role("link", name="host").click()
    expect(page).to_have_url(re.compile("by=host"))
    expect(page.locator(".legend")).to_contain_text("a 60")


def test_tabs_have_numbers(page: Page, filled: House) -> None:
    visit(page, filled, f"/explore?{RANGE}")
    for key, name in (("2", "Patterns"), ("3", "Fields"), ("4", "Chart"), ("1", "Lines")):
        page.keyboard.press(key)
        expect(page.locator(".tabs [aria-current=page]")).to_contain_text(name)
        expect(page.locator("html.js")).to_have_count(1)


def test_values_are_found_while_typing(page: Page, filled: House) -> None:
    visit(page, filled, f"/explore?{RANGE}")
    rail = page.locator("#rail")
    rail.get_by_role("searchbox").fill("serv")
    expect(rail.locator("summary", has_text="service_name")).to_be_visible()
    expect(rail.locator("summary", has_text="host")).to_be_hidden()
    rail.get_by_role("searchbox").fill("")
    expect(rail.locator("summary", has_text="host")).to_be_visible()


def test_without_script_all_of_it_is_there(plain_page: Page, filled: House) -> None:
    visit(plain_page, filled, f"/explore?{RANGE}")
    expect(plain_page.locator("#rail summary", has_text="host")).to_be_visible()
    plain_page.locator("#rail").get_by_role("searchbox").fill("serv")
    plain_page.get_by_role("button", name="Find").click()
    expect(plain_page.locator("#rail summary", has_text="service_name")).to_be_visible()
    expect(plain_page.locator("#rail summary", has_text="host")).to_have_count(0)
    for tab, text in (("Patterns", "order … paid"), ("Fields", "service_name"), ("Chart", "Drawn from")):
        plain_page.get_by_role("navigation", name="Result").get_by_role("link", name=re.compile(tab)).click()
        expect(plain_page.locator("main")).to_contain_text(text)
    plain_page.get_by_label("draw", exact=True).select_option("avg")
    plain_page.get_by_label("of the field").fill("n")
    plain_page.get_by_role("button", name="Draw").click()
    expect(plain_page.get_by_role("heading", name="average of n")).to_be_visible()


def test_no_tab_breaks_a_rule_of_accessibility(page: Page, filled: House, axe: Callable[..., list[str]]) -> None:
    for view in (
        "by=host&cmp=previous",
        "tab=patterns&cmp=previous",
        "tab=fields&cmp=previous",
        "tab=chart&split=host",
    ):
        visit(page, filled, f"/explore?{RANGE}&{view}&theme=dark")
        expect(page.locator("html.js")).to_have_count(1)
        assert axe(page) == []


@pytest.mark.parametrize("tab", ["lines", "patterns", "fields", "chart"])
def test_nothing_is_wider_than_a_narrow_window(page: Page, filled: House, tab: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    visit(page, filled, f"/explore?{RANGE}&tab={tab}&cmp=1d")
    wide: Any = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
