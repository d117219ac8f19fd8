"""The list of lines and the panel of one in a real browser: endless both ways, by keys, without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from tailrace.batch import Batch, stream_text
from web.conftest import NOW_NS, House, S
from web.conftest import _house as house_at
from web.explorer.browser import WAIT_MS, needs_chromium, settled, too_wide

pytestmark = needs_chromium
expect.set_options(timeout=WAIT_MS)

LINES = 2_000
MOST = 300
"""Rows that the page holds at most, as the script says."""

WALK = """async ([by, last]) => {
  const list = document.getElementById("lines"), seen = new Map();
  let most = 0, jumps = 0, idle = 0;
  const look = () => {
    for (const row of list.children) if (row.matches(".row")) seen.set(row.dataset.at + row.dataset.key, row.querySelector(".line").textContent);
    most = Math.max(most, list.children.length);
  };
  for (let step = 0; step < 4000 && idle < 400; step++) {
    const before = [...list.children].find((row) => row.getBoundingClientRect().top > 100);
    const was = before && before.getBoundingClientRect().top, y = scrollY;
    await new Promise((done) => setTimeout(done, 10));
    look();
    if (before && before.isConnected && Math.abs(before.getBoundingClientRect().top - was) > 1) jumps++;
    if ([...seen.values()].includes(last) && list.querySelector(".row" + (by > 0 ? ":last-child" : "")).querySelector(".line").textContent === last) break;
    const busy = document.querySelector("#newer[aria-busy], #older[aria-busy]");
    if (!busy) scrollBy(0, by);
    idle = scrollY === y && !busy ? idle + 1 : 0;
    const link = document.querySelector("#newer:not([hidden]) a");
    if (by < 0 && idle === 20 && link) link.click(); // who flies past the first line finds this
  }
  return { seen: [...seen.values()], most, jumps };
}"""


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with many lines, seven of each time, which the tests of this file share and leave as it is."""
    made = house_at(tmp_path_factory.mktemp("long"), None)
    house = next(made)
    at = pl.int_range(LINES, eager=True)
    frame = pl.DataFrame({"_time_ns": NOW_NS - S - (at // 7) * (S // 5), "_offset": at.reverse() * 10}).with_columns(
        _observed_ns=pl.lit(NOW_NS, pl.Int64),
        _stream=pl.lit(stream_text({"service_name": "app", "host": "a", "filename": "/var/log/app.log"})),
        _level=pl.lit("info"),
        _line=pl.format("line {}", at),
        status=pl.lit(500),
        took=pl.lit("15ms"),
    )
    house.table.commit([Batch(frame, "test", LINES, 1)])
    yield house
    next(made, None)


def visit(page: Page, house: House, path: str = "/") -> None:
    page.goto(str(house.client.base_url).rstrip("/") + path)


def first_line(page: Page) -> str:
    return page.locator("#lines .row .line").first.inner_text()


def test_all_lines_go_by_in_both_directions_while_the_page_holds_few(long: House, page: Page) -> None:
    visit(page, long)
    down = page.evaluate(WALK, [900, f"line {LINES - 1}"])
    every = [f"line {number}" for number in range(LINES)]
    assert sorted(down["seen"], key=every.index) == every
    assert down["most"] <= MOST + 100  # a page more for a moment
    expect(page.locator("#older span")).to_be_visible()
    up = page.evaluate(WALK, [-900, "line 0"])
    assert sorted(up["seen"], key=every.index) == every
    assert up["most"] <= MOST + 100
    assert (down["jumps"], up["jumps"]) == (0, 0)
    expect(page.locator("#newer")).to_be_hidden()


def test_home_and_end_go_to_the_ends_and_the_focus_with_them(long: House, page: Page) -> None:
    visit(page, long)
    page.keyboard.press("j")
    page.keyboard.press("End")
    expect(page.locator("#lines .row:last-child .head")).to_be_focused()
    expect(page.locator("#lines .row:last-child .line")).to_have_text(f"line {LINES - 1}")
    page.keyboard.press("Home")
    expect(page.locator("#lines .row:first-child .head")).to_be_focused()
    assert first_line(page) == "line 0"
    page.keyboard.press("PageDown")
    expect(page.locator("#lines .row:first-child .head")).not_to_be_focused()


def test_the_bar_over_time_is_moved_by_keys(long: House, page: Page) -> None:
    visit(page, long)
    page.locator("#ruler").focus()
    page.keyboard.press("End")
    expect(page.locator("#lines .row:last-child .line")).to_have_text(f"line {LINES - 1}")
    page.keyboard.press("Home")
    expect(page.locator("#lines .row:first-child .line")).to_have_text("line 0")
    page.locator("#ruler").fill("500")  # amid the lines, as the one bar has them: 30 s before its end
    expect(page.locator("#lines .row:first-child .line")).to_have_text("line 1015")
    expect(page.locator("#ruler")).to_have_attribute("aria-valuetext", "2025-12-31 23:59:30")
    page.keyboard.press("PageDown")
    expect(page.locator("#ruler")).to_have_attribute("aria-valuetext", "2025-12-31 23:59:24")
    expect(page.locator("#lines .row:first-child .line")).to_have_text("line 1225")
    expect(page.locator("#ruler")).to_be_focused()


def test_the_place_is_in_the_address(long: House, page: Page) -> None:
    visit(page, long)
    page.mouse.move(600, 600)
    page.mouse.wheel(0, 4_000)
    page.wait_for_url("**cur=before-**")
    top = "[...document.querySelectorAll('#lines .row')].find((r) => r.getBoundingClientRect().bottom > 60)"
    page.reload()
    expect(page.locator("#lines .row .line").first).not_to_have_text("line 0")
    assert page.evaluate(f"{top} === document.querySelector('#lines .row')")


def test_a_panel_by_keys(long: House, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, long)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    panel = page.locator("#lines .row:nth-child(2) .panel")
    expect(panel.locator("th", has_text="took")).to_contain_text("duration")
    assert "sel=" in page.url
    page.keyboard.press("c")
    expect(panel.locator(".near .here .line")).to_have_text("line 1")
    panel.locator("a[data-more]", has_text="more before").click()
    expect(panel.locator(".near .row")).to_have_count(52)
    page.locator("#lines .row:nth-child(2) .head").focus()
    page.keyboard.press("j")
    expect(page.locator("#lines .row:nth-child(3) .head")).to_be_focused()
    expect(panel.locator(".fields").first).to_be_visible()
    page.keyboard.press("y")
    expect(page.locator("#said")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "line 2"
    page.keyboard.press("k")
    page.keyboard.press("Shift+Y")
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.includes('/line/'))")
    page.keyboard.press("Escape")
    expect(page.locator("#lines details[open]")).to_have_count(0)
    page.wait_for_url(lambda url: "sel=" not in url)
    page.keyboard.press("x")
    expect(page.locator("#lines .do a").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("-")
    page.wait_for_url("**host%21%3D%22a%22**")


def test_a_panel_in_a_table(long: House, page: Page) -> None:
    visit(page, long, "/?mode=table&cols=status")
    page.locator(".head").nth(1).click()
    expect(page.locator(".opened .fields").first).to_be_visible()
    page.locator(".opened .do a[aria-label='add column took']").click()
    page.wait_for_url("**took**")
    expect(page.locator(".as-table thead th")).to_have_text(["time", "level", "status", "took", "line"])
    page.locator(".head").nth(1).click()
    expect(page.locator(".opened .fields").first).to_be_visible()
    page.locator(".head").nth(1).click()
    expect(page.locator(".opened")).to_have_count(0)


def test_a_line_without_script(long: House, plain_page: Page) -> None:
    page = plain_page
    visit(page, long, "/?limit=5")
    page.locator("#older a").click()
    page.wait_for_url("**cur=**")
    assert first_line(page) == "line 5"
    page.locator(".row .head").first.click()
    page.locator("details[open] .panel a").click()
    page.wait_for_url("**/line/**")
    expect(page.locator(".near .here .line")).to_have_text("line 5")
    page.locator("a[data-more]", has_text="more before").click()
    expect(page.locator(".near .row")).to_have_count(5 + 1 + 50)
    page.locator("a", has_text="On the whole host").click()
    expect(page.locator(".near .src").first).to_have_text("app")
    page.locator(".back a").click()
    expect(page.locator("#sel details[open] .fields").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("mode", ["line", "table"])
def test_an_open_panel_is_accessible(
    long: House, page: Page, axe: Callable[..., list[str]], theme: str, mode: str
) -> None:
    page.set_viewport_size({"width": 390 if theme == "dark" else 1_280, "height": 800})
    visit(page, long, f"/?theme={theme}&mode={mode}&limit=5&cols=status,host")
    page.locator(".head").first.click()
    expect(page.locator("#lines .fields").first).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator(".near .here")).to_be_visible()
    settled(page)
    assert axe(page) == []
    assert too_wide(page) == []


def test_lines_of_enemies_do_no_harm(tmp_path: Path, page: Page) -> None:
    made = house_at(tmp_path, None)
    house = next(made)
    lines = [
        "<img src=x onerror=alert(1)>" * 40_000,
        "\x00\x07\x1b[31m\u202e\u2066 \x85\u2028",
        "\ufffd </code></li>",
        "",
    ]
    house.store(*[(-S * number, line) for number, line in enumerate(lines, 1)], host="a", fields={"<b>": lines[0]})
    for mode in ("line", "wrap", "json", "table"):
        visit(page, house, f"/?mode={mode}&cols=host,service_name")
        expect(page.locator("#lines .row")).to_have_count(4)
        page.locator(".head").first.click()
        expect(page.locator("#lines .full")).to_be_visible()
        assert page.evaluate("document.querySelectorAll('#lines img, #lines script').length") == 0
        assert len(page.content()) < 600_000
        assert too_wide(page) == []
    next(made, None)
