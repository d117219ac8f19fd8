"""Dashboards and metrics in a browser: a dashboard made by keyboard, without script, and what the script adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tailrace.web.explorer.dashboard.model import Panel
from web.explorer.browser import WAIT_MS, needs_chromium
from web.explorer.site import Site, built

pytestmark = needs_chromium
LINES = '{host=~".+"}'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with built(tmp_path_factory.mktemp("site") / "data") as made:
        made.world.lines(*[(-at * 30, "ab"[at % 2], None) for at in range(1, 60)])
        yield made


def test_a_dashboard_is_made_by_forms_without_script(plain_page: Page, place: Site) -> None:
    page = plain_page
    page.goto(f"{place.address}/dashboard/new")
    page.locator("#name").fill("By hand")
    page.get_by_role("button", name="Make").click()
    page.locator("#title-of-new").fill("Both hosts")
    page.locator("#query-of-new").fill(LINES)
    page.locator("#by-of-new").fill("host")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Both hosts")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("link", name="Done").click()
    expect(page.locator(".legend").get_by_text("a", exact=True)).to_be_visible(timeout=WAIT_MS)
    page.get_by_text("The same as a table").click()
    expect(page.locator(".twin th[scope=col]").nth(2)).to_have_text("b", timeout=WAIT_MS)  # 30 lines, a has 29


def test_a_panel_is_moved_by_keys_alone(page: Page, place: Site) -> None:
    board = place.dashboards.create("Keys", [Panel("first", LINES, "number"), Panel("second", LINES, "number")])
    page.goto(f"{place.address}/dashboard/{board.id}")
    page.keyboard.press("e")
    expect(page.get_by_role("link", name="Done")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Move up second").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".tile h2").first).to_have_text("second", timeout=WAIT_MS)
    assert [panel.title for panel in place.dashboards.get(int(board.id)).panels] == ["second", "first"]


def test_the_script_asks_panels_again_without_a_new_page(page: Page, place: Site) -> None:
    board = place.dashboards.create("Fresh", [Panel("n", '{host="late"}', "number")])
    page.goto(f"{place.address}/dashboard/{board.id}")
    expect(page.locator(".big")).to_have_text("0", timeout=WAIT_MS)
    page.evaluate("window.sameAsBefore = true")
    place.world.lines((-5, "late", None))
    page.keyboard.press("r")
    expect(page.locator(".big")).to_have_text("1", timeout=WAIT_MS)
    assert page.evaluate("window.sameAsBefore")
    expect(page.locator("#said")).to_have_text("Panels were asked again.", timeout=WAIT_MS)


def test_the_values_of_a_drawing_are_read_by_arrow_keys(page: Page, place: Site) -> None:
    board = place.dashboards.create("Read", [Panel("bars", LINES, "bars", "host")])
    page.goto(f"{place.address}/dashboard/{board.id}")
    drawing = page.get_by_role("slider")
    drawing.focus()
    page.keyboard.press("Home")
    expect(page.locator(".readout")).to_contain_text("all 1", timeout=WAIT_MS)
    first = drawing.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowRight")
    expect(drawing).not_to_have_attribute("aria-valuetext", str(first), timeout=WAIT_MS)
    page.keyboard.press("Escape")
    expect(page.locator(".readout")).to_be_empty(timeout=WAIT_MS)


def test_an_export_is_read_from_its_file(page: Page, place: Site) -> None:
    file = place.get("/dashboard/start/export")
    page.goto(f"{place.address}/dashboard/new")
    page.locator("#file").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": file.content})
    expect(page.locator("#text")).to_have_value(file.text, timeout=WAIT_MS)
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".tile")).to_have_count(8, timeout=WAIT_MS)


def test_a_metric_is_tried_while_it_is_typed(page: Page, place: Site) -> None:
    page.goto(f"{place.address}/metrics-from-logs/new")
    page.locator("#filter").fill(LINES)
    expect(page.locator("#metric-preview")).to_contain_text("label sets kept", timeout=WAIT_MS)
    page.locator("#expr").fill("sum(")
    expect(page.locator("#metric-preview [role=alert]")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("input[value=expr]")).to_be_checked(timeout=WAIT_MS)


def test_axe_finds_nothing_while_a_dashboard_is_edited(page: Page, place: Site, axe: Callable[..., list[str]]) -> None:
    board = place.dashboards.create("Axe", [Panel("one", LINES, "curves", "host"), Panel("two", LINES, "lines")])
    for theme in ("light", "dark"):
        for address in (f"/dashboard/{board.id}?edit=1&theme={theme}", f"/dashboard/{board.id}?theme={theme}"):
            page.goto(place.address + address)
            assert axe(page) == []
