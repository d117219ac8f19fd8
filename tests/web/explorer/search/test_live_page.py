"""Live lines in a real browser: nothing twice, nothing silently lost, and a page that stays small."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from web.conftest import NOW_NS, House, S, wait_until
from web.explorer.browser import WAIT_MS, needs_chromium, settled

pytestmark = needs_chromium
FIRST = "#lines > .row .line"


@pytest.fixture(autouse=True)
def _patience() -> None:
    expect.set_options(timeout=WAIT_MS)


@pytest.fixture
def filled(house: House) -> House:
    house.store(*[(-S * number, f"line {number}") for number in range(1, 41)], level="info", host="a")
    return house


def visit(page: Page, house: House, path: str = "/") -> None:
    page.goto(str(house.client.base_url).rstrip("/") + path)


def follow(page: Page, house: House, path: str = "/") -> None:
    visit(page, house, path)
    settled(page)
    page.keyboard.press("l")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#tail-counts")).to_contain_text("0 lines came")
    wait_until(lambda: b"tailrace_live_tails 1.0" in house.client.get("/metrics").content)


def shown(page: Page) -> list[str]:
    return page.locator(FIRST).all_text_contents()


def test_lines_come_to_the_top_and_wait_while_one_is_read(page: Page, filled: House) -> None:
    follow(page, filled)
    assert "live=1" in page.url
    filled.store((0, "<b>fresh</b>"), host="a")
    expect(page.locator(FIRST).first).to_have_text("<b>fresh</b>")
    expect(page.locator("#tail-counts")).to_contain_text("1 lines came")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#paused")).to_contain_text("nothing new yet")
    filled.store((1, "while reading"), (-60 * S, "late, too"), host="a")
    expect(page.locator("#paused")).to_contain_text("Paused, 2 new lines")
    expect(page.locator("#tail-counts")).to_contain_text("1 late")
    assert shown(page)[0] == "<b>fresh</b>"
    page.locator("#resume").click()
    expect(page.locator(FIRST).first).to_have_text("while reading")
    expect(page.locator("#paused")).to_be_hidden()
    assert shown(page)[:3] == ["while reading", "late, too", "<b>fresh</b>"]
    assert page.evaluate("document.querySelectorAll('#lines script, #lines b').length") == 0


def test_what_came_between_the_page_and_its_live_lines_is_not_missed(page: Page, filled: House) -> None:
    visit(page, filled)
    settled(page)
    filled.store((0, "between"), host="a")
    page.keyboard.press("l")
    expect(page.locator(FIRST).first).to_have_text("between")
    page.keyboard.press("l")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
    filled.store((1, "while off"), host="a")
    page.keyboard.press("l")
    expect(page.locator(FIRST).first).to_have_text("while off")
    assert shown(page)[:3] == ["while off", "between", "line 1"]


@pytest.mark.parametrize("where", ["limit=10&cur=before-{at}-0", "to=2025-12-31T23:59:50Z&from=2025-12-31T23:00:00Z"])
def test_live_lines_begin_behind_the_newest_ones_wherever_one_is(page: Page, filled: House, where: str) -> None:
    visit(page, filled, "/?" + where.format(at=NOW_NS - 30 * S))
    settled(page)
    page.keyboard.press("l")
    expect(page.locator("#tail-counts")).to_contain_text("0 lines came")
    expect(page.locator(FIRST).first).to_have_text("line 1")
    assert "cur=" not in page.url
    assert "to=" not in page.url


def test_space_and_scrolling_pause_and_stopping_keeps_rows_and_says_of_which_range_they_are(
    page: Page, filled: House
) -> None:
    follow(page, filled)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    expect(page.locator("#tail-pause")).to_have_attribute("aria-pressed", "true")
    filled.store((-S // 2, "from before"), (0, "held"), host="a")
    expect(page.locator("#paused")).to_contain_text("Paused, 2 new lines.")
    page.keyboard.press(" ")
    expect(page.locator(FIRST).first).to_have_text("held")
    page.evaluate("scrollTo(0, 600)")
    expect(page.locator("#paused")).to_be_visible()
    filled.clock.advance(7)
    filled.store((8 * S, "while away"), host="a")
    expect(page.locator("#paused")).to_contain_text("Paused, 1 new line.")
    assert shown(page)[0] == "held"
    page.keyboard.press("l")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(FIRST).first).to_have_text("while away")
    expect(page.locator("#tail-note")).to_contain_text("3 lines came from 2025-12-31 23:59:59 to 2026-01-01 00:00:08")
    assert "live=1" not in page.url
    assert "from=2025-12-31T23%3A59%3A59.5Z&to=2026-01-01T00%3A00%3A08.000000001Z" in page.url
    page.locator("#tail-note a").click()
    expect(page.locator(FIRST)).to_have_text(["while away", "held", "from before"])


def test_a_flood_leaves_a_small_page_and_an_exact_count(page: Page, filled: House) -> None:
    follow(page, filled)
    for start in (0, 2_000, 4_000):
        rows = [(start + number, f"flood {start + number}") for number in range(2_000)]
        filled.store(*rows, host="a", fields={f"f{n}": n for n in range(10)})
    expect(page.locator("#tail-counts")).to_contain_text("6,000 lines came")
    found = re.search(r"a sample: ([\d,]+) left out", page.locator("#tail-counts").inner_text())
    assert found is not None
    left = int(found[1].replace(",", ""))
    assert 4_000 <= left <= 5_700  # at most 500 of each look and 500 a second are sent, and the page draws 300 at once
    expect(page.locator("#lines > .row")).to_have_count(300)
    numbers = [int(text.partition(" ")[2]) for text in shown(page)]
    assert numbers == sorted(set(numbers), reverse=True)


def test_a_server_that_goes_away_for_a_while_is_said_and_nothing_is_lost_or_doubled(page: Page, filled: House) -> None:
    follow(page, filled)
    filled.store((0, "before"), host="a")
    expect(page.locator(FIRST).first).to_have_text("before")
    filled.is_ready[0] = False
    wait_until(lambda: b"tailrace_live_tails 0.0" in filled.client.get("/metrics").content)
    expect(page.locator("#said")).to_contain_text("connection is lost")
    filled.store((1, "while away"), host="a")
    filled.is_ready[0] = True
    expect(page.locator(FIRST).first).to_have_text("while away")
    filled.store((2, "after"), host="a")
    expect(page.locator(FIRST).first).to_have_text("after")
    assert shown(page)[:4] == ["after", "while away", "before", "line 1"]
    expect(page.locator("#tail-counts")).to_contain_text("3 lines came")


def test_a_page_that_nobody_sees_gives_its_connection_back_and_catches_up(page: Page, filled: House) -> None:
    follow(page, filled)
    hide = (
        "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    page.evaluate(hide, True)
    wait_until(lambda: b"tailrace_live_tails 0.0" in filled.client.get("/metrics").content, 20)
    filled.store((0, "unseen"), host="a")
    page.evaluate(hide, False)
    expect(page.locator(FIRST).first).to_have_text("unseen")
    expect(page.locator("#tail-counts")).to_contain_text("1 lines came")


def test_a_query_that_cannot_be_followed_any_more_ends_it_with_a_reason(page: Page, filled: House, complaints) -> None:
    complaints.permit("400")
    visit(page, filled)
    settled(page)
    page.evaluate("document.getElementById('live').dataset.url = '/explore/live?q=%7B'")
    page.keyboard.press("l")
    expect(page.locator("#tail-note")).to_contain_text("Live lines ended: ")
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("mode", ["wrap", "table", "json"])
def test_every_form_of_lines_can_be_followed(page: Page, filled: House, mode: str) -> None:
    follow(page, filled, f"/?mode={mode}&cols=host")
    filled.store((0, "fresh"), host="z")
    expect(page.locator("#lines > .row").first).to_contain_text("fresh")
    expect(page.locator("#lines > .row").first).to_contain_text("z")


def test_without_script_the_page_can_load_itself_again(plain_page: Page, filled: House) -> None:
    visit(plain_page, filled, "/?from=now-1h")
    expect(plain_page.locator("#live")).to_be_hidden()
    plain_page.get_by_role("link", name="Load again every 5 s").click()
    expect(plain_page.locator("noscript meta, meta[http-equiv=refresh]")).to_have_attribute("content", "5")
    assert "from=now-1h&refresh=5" in plain_page.url
    filled.store((-1, "fresh"), host="a")
    expect(plain_page.locator(FIRST).first).to_have_text("fresh")  # it came by itself
    plain_page.get_by_role("link", name="stop").click()
    assert "refresh" not in plain_page.url
