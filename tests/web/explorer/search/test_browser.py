"""The page in a real browser: by keyboard, live, and without script. Needs a Chromium of the system."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from web.conftest import House, S

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, house: House) -> Iterator[Page]:  # closed before the house is
    yield from _page(browser)


@pytest.fixture
def plain_page(browser: Browser, house: House) -> Iterator[Page]:  # closed before the house is
    """A browser without script."""
    yield from _page(browser, java_script_enabled=False)


def _page(browser: Browser, **options: bool) -> Iterator[Page]:
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert [text for text in complaints if "status of 400" not in text] == []


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.innerText || document.activeElement.id")


def visit(page: Page, house: House, path: str = "/") -> None:
    page.goto(str(house.client.base_url).rstrip("/") + path)


@pytest.fixture
def filled(house: House) -> House:
    house.store(
        *[(-S * number, f"line {number}") for number in range(1, 41)], level="info", host="a", fields={"status": 7}
    )
    return house


def test_the_whole_flow_by_keys(page: Page, filled: House) -> None:
    visit(page, filled)
    page.keyboard.press("j")
    assert "line 1" in focused(page)
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    assert "line 2" in focused(page)
    page.keyboard.press("Enter")
    expect(page.locator("details[open] .panel")).to_be_visible()
    expect(page.locator("details[open] .fields", has_text="status")).to_contain_text("7")
    page.keyboard.press("Escape")
    expect(page.locator("#lines details[open]")).to_have_count(0)
    assert "line 2" in focused(page)

    page.keyboard.press("/")
    assert focused(page) == "q"
    page.keyboard.type('{host="a"} |= "line 7"')
    page.keyboard.press("Enter")
    page.wait_for_url("**q=**")
    expect(page.locator(".row")).to_have_count(1)
    assert "from=" not in page.url
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.press("l")  # a letter, not a command, while the query is edited
    assert page.locator("#q").input_value() == "l"
    page.keyboard.press("Escape")
    assert "line 7" in focused(page)


def test_one_row_is_in_the_tab_order(page: Page, filled: House) -> None:
    visit(page, filled)
    assert page.locator("#lines summary[tabindex='0']").count() == 1
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator("#lines summary[tabindex='0']").count() == 1


def test_alt_enter_breaks_the_line_of_the_query(page: Page, filled: House) -> None:
    visit(page, filled)
    page.keyboard.press("/")
    page.keyboard.type('{host="a"}')
    page.keyboard.press("Alt+Enter")
    page.keyboard.type('|= "line 7"')
    assert page.locator("#q").input_value() == '{host="a"}\n|= "line 7"'
    assert page.evaluate("document.querySelector('#q').rows") == 2


def test_the_page_works_without_script(plain_page: Page, filled: House) -> None:
    page = plain_page
    visit(page, filled, "/?limit=10")
    expect(page.locator(".row")).to_have_count(10)
    expect(page.locator("#live")).to_be_hidden()
    page.locator(".row summary").first.click()
    page.locator("details[open] .panel a").click()
    page.wait_for_url("**/line/**")
    page.locator(".fields .do a", has_text="+").first.click()
    page.wait_for_url("**q=**")
    assert 'host="a"' in page.locator("#q").input_value() or 'service_name="app"' in page.locator("#q").input_value()
    page.locator("a[rel=next]").first.click()
    page.wait_for_url("**cur=**")
    expect(page.locator(".row .line").first).to_have_text("line 11")
    page.locator("#q").fill('{host="a"} |= "line 40"')
    page.locator("button.run").click()
    expect(page.locator(".row")).to_have_count(1)
    page.locator("#q").fill('{host="a"} | jso')
    page.locator("button.run").click()
    expect(page.locator("#query-error")).to_contain_text("did you mean 'json'?")
    assert page.locator("#q").get_attribute("aria-invalid") == "true"


@pytest.mark.parametrize("width", [320, 390, 1_360])
def test_nothing_is_wider_than_the_window(page: Page, filled: House, width: int) -> None:
    filled.store((-S, "x" * 5_000), host="a")
    page.set_viewport_size({"width": width, "height": 800})
    visit(page, filled)
    page.locator(".row summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_contrast(page: Page, filled: House, theme: str) -> None:
    """Every text against the nearest background behind it: 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    for level in ("trace", "debug", "warn", "error", "fatal"):
        filled.store(
            (-S, f"\x1b[31mred\x1b[32mgreen\x1b[33myellow\x1b[34mblue\x1b[35mviolet\x1b[0m {level} \u202e"), level=level
        )
    visit(page, filled, f"/?theme={theme}&q=%7Bservice_name%3D~%22.%2B%22%7D%20%7C%3D%20%22e%22")
    page.locator(".row summary").first.click()
    assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length && (color.length < 4 || color[3] === 1)) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    if (node.closest(".sr, .skip, svg, script")) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.add(`${node.className || node.tagName} ${ratio.toFixed(2)}`);
  }
  return [...poor];
}"""
