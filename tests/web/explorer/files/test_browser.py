"""The pages of files in a real browser: by keys, by mouse, without script, and judged by axe-core."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tailrace.web.explorer.files.look import PARTS
from twin.world import World, event, folder, made
from web.explorer.browser import WAIT_MS, needs_chromium, too_wide
from web.explorer.files.conftest import Room

pytestmark = needs_chromium
expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def filled(room: Room) -> Room:
    fill(room.world)
    return room


def fill(world: World) -> None:
    world.happen(
        folder("created", "/d"),
        folder("created", "/d/log", 1, mode="0755"),
        folder("created", "/d/log/old", 2),
        made("created", "/d/log/old/z", 3, size=9_000, mtime="2023-10-01T00:00:00Z"),
        made("created", "/d/log/a", 4, size=70_000, process_name="cp", process_pid=7, mtime="2023-11-14T22:00:00Z"),
        made("created", "/d/note <b>\u202e", 5, size=60_000, mtime="2022-11-14T22:00:00Z"),
        made("updated", "/d/log/a", 6, size=80_000, process_name="app", process_pid=8, user_name="ann"),
        event("deleted", "/d/gone", 7, process_name="rm", process_pid=9),
        event("gap", "/d", 8, event_start="2023-11-14T22:13:20Z", event_kind="state", event_reason="overflow"),
    )
    world.others(3)
    world.clock.advance(60)


def visit(page: Page, room: Room, path: str) -> None:
    page.goto(str(room.client.base_url).rstrip("/") + path)


def test_the_tree_by_keys(page: Page, filled: Room) -> None:
    visit(page, filled, "/files?path=/d")
    expect(page.get_by_role("treegrid", name="Tree of /d")).to_be_visible()
    page.keyboard.press("j")
    log = page.get_by_role("row", name="log/").first
    expect(log).to_be_focused()
    expect(log).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowRight")
    expect(log).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#said")).to_have_text("2 entries of log")
    expect(page.locator("#tree tr[aria-level='2']")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tree tr[data-name='a']")).to_be_focused()
    page.keyboard.press("ArrowDown")
    old = page.locator("#tree tr[data-name='old']")
    expect(old).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tree tr[aria-level='3']")).to_have_count(1)
    page.keyboard.press("End")
    expect(page.locator("#tree tr[data-name^='note']")).to_be_focused()
    page.keyboard.press("Home")
    expect(log).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(log).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#tree tbody tr")).to_have_count(2)
    assert page.locator("#tree tr[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/files?path=%2Fd%2Flog**")
    page.keyboard.press("u")
    page.wait_for_url("**/files?path=%2Fd&host=web-1")


def test_the_tree_by_mouse(page: Page, filled: Room) -> None:
    visit(page, filled, "/files?path=/d")
    page.get_by_role("button", name="Unfold log").click()
    page.get_by_role("button", name="Unfold old").click()
    expect(page.locator("#tree tr[data-name='z']")).to_be_visible()
    page.get_by_role("button", name="Fold log").click()
    expect(page.locator("#tree tbody tr")).to_have_count(2)
    page.get_by_role("link", name="log/").click()
    page.wait_for_url("**/files?path=%2Fd%2Flog**")


def test_a_folder_that_cannot_be_read_stays_folded(page: Page, filled: Room, complaints) -> None:
    complaints.permit("/files/rows")
    visit(page, filled, "/files?path=/d")
    page.route("**/files/rows?**", lambda route: route.fulfill(status=503, body="the store is away"))
    page.get_by_role("button", name="Unfold log").click()
    expect(page.locator("#said")).to_contain_text("the store is away")
    expect(page.get_by_role("row", name="log/").first).to_have_attribute("aria-expanded", "false")


def test_the_map_leads_into_folders(page: Page, filled: Room) -> None:
    visit(page, filled, "/files/map?path=/d")
    page.locator(".treemap text", has_text="log/").click()
    page.wait_for_url("**/files/map?path=%2Fd%2Flog**")
    expect(page.locator(".treemap text", has_text="old/")).to_be_visible()


def test_a_bar_leads_to_its_span(page: Page, filled: Room) -> None:
    filled.world.happen(made("updated", "/d/log/a", -1_800, process_name="app"))
    visit(page, filled, "/files/changes?path=/d&from=now-1h")
    bars = page.get_by_role("slider", name="Events by kind")
    bars.focus()
    page.keyboard.press("Home")
    expect(page.locator(".readout")).to_contain_text("written 1")
    page.keyboard.press("Enter")
    page.wait_for_url("**from=2023-11-14T21%3A43**")
    expect(page.get_by_role("heading", name="1 event in 1 act")).to_be_visible()


def test_everything_works_without_script(plain_page: Page, filled: Room) -> None:
    page = plain_page
    visit(page, filled, "/files")
    page.get_by_role("link", name="d/").click()
    expect(page.locator("#tree tbody tr")).to_have_count(2)
    expect(page.get_by_role("button", name="Unfold log")).to_have_count(0)
    page.get_by_role("link", name="Changes", exact=True).click()
    page.get_by_label("Who").fill("app")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="1 event in 1 act")).to_be_visible()
    page.locator(".table tbody th a").first.click()
    expect(page.get_by_role("heading", name="2 events of this path")).to_be_visible()
    page.get_by_role("link", name="Health").click()
    page.get_by_role("button", name="Condense now").click()
    expect(page.get_by_role("cell", name="still open")).to_be_visible()


def test_axe_finds_nothing(page: Page, filled: Room, axe: Callable[..., list[str]]) -> None:
    for number, tab in enumerate(PARTS):
        theme = ("dark", "light")[number % 2]  # all views in both themes are judged over the shop
        path = "/files" if tab == "tree" else f"/files/{tab}"
        visit(page, filled, f"{path}?path=/d&theme={theme}")
        if tab == "tree":
            page.get_by_role("button", name="Unfold log").click()
            expect(page.locator("#tree tr[aria-level='2']")).to_have_count(2)
        assert axe(page) == [], tab


@pytest.mark.parametrize("width", [320, 1_280])
def test_nothing_is_wider_than_the_window(page: Page, filled: Room, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for tab in PARTS:
        visit(page, filled, f"{'/files' if tab == 'tree' else f'/files/{tab}'}?path=/d")
        assert too_wide(page) == [], tab


def test_the_first_page_of_a_newcomer(page: Page, room: Room, axe: Callable[..., list[str]]) -> None:
    visit(page, room, "/files")
    expect(page.get_by_role("heading", name="No file system is watched yet")).to_be_visible()
    assert axe(page) == []
