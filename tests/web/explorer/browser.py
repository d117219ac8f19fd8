"""A real browser for tests of the page: Debian's Chromium, watched, with and without script, and axe-core in it.

One Chromium serves a module of tests. It cannot serve a whole run: while Playwright's loop is alive, no other test of
the process could begin a loop of its own.

Whatever a page complains of fails its test when it ends: errors of scripts and of the console (a breach of the
Content-Security-Policy is one), requests to anywhere but the server, answers of 400 and more to what the page loads by
itself. A view that is asked for and refused is none; `complaints.permit` lets a test have what it provokes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect, sync_playwright

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
AXE: Final = Path(__file__).parents[3] / ".venv/axe/node_modules/axe-core/axe.min.js"
WAIT_MS: Final = 20_000
"""How long a page may take on a machine that is busy with other tests."""

TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")

_RUN: Final = """async ([tags, rules]) => {
  const options = { resultTypes: ["violations"] };
  if (rules.length) options.runOnly = { type: "rule", values: rules };
  else Object.assign(options, { runOnly: { type: "tag", values: tags }, rules: { "target-size": { enabled: true } } });
  const found = await axe.run(document, options);
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => `${rule.id}: ${node.target.join(" ")}: ${node.html.slice(0, 200)}: ${node.failureSummary}`));
}"""

_WIDER: Final = """() => {
  const most = document.documentElement.clientWidth;
  const inside = (node) => {
    for (let at = node.parentElement; at && at !== document.body; at = at.parentElement)
      if (getComputedStyle(at).overflowX !== "visible") return true;
    return false;
  };
  if (document.documentElement.scrollWidth <= most) return [];
  const wide = [...document.body.querySelectorAll("*")].filter(
    (node) => node.getBoundingClientRect().right > most + 0.5 && !inside(node));
  return [`${document.documentElement.scrollWidth} of ${most} px`,
    ...wide.slice(0, 5).map((node) => `${node.tagName.toLowerCase()}.${node.className.baseVal ?? node.className}`)];
}"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="no axe-core: scripts/axe installs it")


@dataclass
class Complaints:
    """What pages complained of, and what a test permits of it: pieces of the text."""

    found: list[str] = field(default_factory=list)
    permitted: list[str] = field(default_factory=list)

    def permit(self, *pieces: str) -> None:
        """Let complaints that contain one of these pieces be."""
        self.permitted += pieces

    def left(self) -> list[str]:
        """Return the complaints that were not permitted."""
        return [text for text in self.found if not any(piece in text for piece in self.permitted)]

    def watch(self, context: BrowserContext) -> None:
        """Listen to all pages of a context."""
        asked: set[str] = set()  # addresses that a test went to: their status is its own business

        def console(message: ConsoleMessage) -> None:
            if message.type == "error" and not ("status of" in message.text and message.location["url"] in asked):
                self.found.append(f"{message.text} ({message.location['url']})")

        def response(answer: Response) -> None:
            if answer.request.is_navigation_request():
                asked.add(answer.url)

        def request(url: str, page: Page | None) -> None:
            home = urlsplit(page.url).netloc if page is not None else ""
            if home and urlsplit(url).scheme in {"http", "https", "ws", "wss"} and urlsplit(url).netloc != home:
                self.found.append(f"a request to elsewhere: {url}")

        context.on("weberror", lambda error: self.found.append(f"{error.error} ({error.page and error.page.url})"))
        context.on("console", console)
        context.on("response", response)
        context.on("request", lambda one: request(one.url, None if one.is_navigation_request() else one.frame.page))


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a Chromium, and stop it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()


@contextmanager
def watched(browser: Browser, complaints: Complaints, **options: Any) -> Iterator[Page]:
    """Open a page in a context of its own; what it complains of fails the test at the end."""
    context = browser.new_context(**options)
    complaints.watch(context)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    yield page
    context.close()
    assert complaints.left() == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the module."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with launched() as chromium:
        yield chromium


@pytest.fixture
def complaints() -> Complaints:
    """What the pages of this test complained of."""
    return Complaints()


@pytest.fixture
def page(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    """A watched page."""
    with watched(browser, complaints, reduced_motion="reduce") as made:
        yield made


@pytest.fixture
def plain_page(browser: Browser, complaints: Complaints) -> Iterator[Page]:
    """A watched page of a browser without script."""
    with watched(browser, complaints, java_script_enabled=False, reduced_motion="reduce") as made:
        yield made


@pytest.fixture
def axe() -> Callable[..., list[str]]:
    """Return what lists violations of a page as it is now, a line each: `assert axe(page) == []`."""
    if not AXE.exists():
        pytest.skip("no axe-core: scripts/axe installs it")
    return violations


def settled(page: Page) -> None:
    """Wait until the script has begun and no part of the page is on its way."""
    expect(page.locator("html.js")).to_have_count(1, timeout=WAIT_MS)
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=WAIT_MS)


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds on a page as it is now: WCAG 2.2 AA and best practice, or the named rules alone.

    axe-core is evaluated by the debugger, to which the page's policy does not apply: that stays as strict as it is.
    """
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(_RUN, [list(TAGS), list(rules)])
    return found


def too_wide(page: Page) -> list[str]:
    """Return what makes a page wider than its window; what may be scrolled by itself is not meant."""
    found: list[str] = page.evaluate(_WIDER)
    return found
