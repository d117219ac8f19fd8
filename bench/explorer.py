"""Explorer: the page as a reader has it, in Chromium, over a table of many rows.

Bounds: the first view within 200 ms on the server and a second to painted lines; an endless list that is scrolled for
long holds as many nodes and as much memory as after its first pages; lines that come live at 5,000 a second leave the
page responsive, and what it says of them is exact: as many as were sent, shown or counted as left out.

The page is served by a real `tailrace up`, warm, as it is after a first look. Chromium is Debian's.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from bench.generate import START_MS, STEP_MS
from bench.imports import collect
from bench.inputs import generated
from bench.live import fresh, running
from bench.measure import OUT, Plan, Row, verdict
from tailrace.web.times import iso

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, CDPSession, Page

SERVER_S: Final = 0.2
PAINTED_S: Final = 1.0
ROOM: Final = 1.25
"""How much more nodes and memory may be held at the end of a long scroll than after its first pages."""
LINES_A_SECOND: Final = 5_000
WRITES_A_SECOND: Final = 20
LONG_TASK_MS: Final = 200
"""The longest that live lines may keep the page from answering: a pause that one begins to notice."""
LAST_S: Final = 15.0
ALL: Final = '{filename=~".+"}'
LINES_END: Final = b'id="older"'
WARM: Final = 40
"""Pages of a scroll before nodes and memory are measured for the first time."""

PAINTED: Final = """() => {
  window.painted = 0;
  const look = () => {
    const found = document.querySelector("#lines .row");
    requestAnimationFrame(found ? () => setTimeout(() => { painted = performance.now(); }) : look);
  };
  look();
}"""
LONG: Final = """() => {
  window.long = [];
  new PerformanceObserver((list) => long.push(...list.getEntries().map((one) => one.duration)))
    .observe({ type: "longtask", buffered: true });
}"""
SCROLL: Final = """async ([wanted, until]) => {
  const list = document.querySelector("#lines");
  let passed = 0, pages = 0;
  const seen = new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) if (node.matches?.(".row")) passed++;
    pages++;
  });
  seen.observe(list, { childList: true });
  while (passed < wanted && performance.now() < until) {
    scrollTo(0, document.documentElement.scrollHeight);
    await new Promise((done) => setTimeout(done, 4));
  }
  seen.disconnect();
  return passed;
}"""


def measure(plan: Plan) -> list[Row]:
    data = OUT / f"explorer-{plan.rows}-{plan.seed}"
    if not (data / "done").exists():
        collect(generated("json", plan.rows, plan.seed), data)
        (data / "done").touch()
    with running(fresh(OUT / "nothing"), data) as (url, _), _chromium() as chromium:
        rows = [*_first(url, chromium, plan), *_scrolled(url, chromium, plan)]
    return [*rows, *_live(plan)]


def _address(plan: Plan) -> str:
    """Return the address of the search over all rows."""
    ends = [iso(at) for at in (START_MS * 10**6, (START_MS + plan.rows * STEP_MS) * 10**6)]
    return f"/explore?q={quote(ALL)}&from={quote(ends[0])}&to={quote(ends[1])}"


def _first(url: str, chromium: Browser, plan: Plan) -> list[Row]:
    """Ask for the first view again and again; then let the browser paint it, each time with nothing kept."""
    rows = []
    for what, address in (("first view", "/"), ("first view of all rows", _address(plan))):
        asked = [_asked(url + address) for _ in range(plan.repeat + 3)][3:]
        taken, whole = [[one[at] for one in asked] for at in (0, 1)]
        shown = [_painted(chromium, url + address) for _ in range(plan.repeat)]
        note = f"slowest {max(taken) * 1000:.0f} ms; with the values beside the lines {median(whole) * 1000:.0f} ms"
        held = verdict(median(taken) <= SERVER_S)
        rows.append(Row("explorer", f"{what}, on the server", median(taken), plan.rows, verdict=held, note=note))
        note = f"slowest {max(shown) * 1000:.0f} ms"
        held = verdict(median(shown) <= PAINTED_S)
        rows.append(Row("explorer", f"{what}, to painted lines", median(shown), plan.rows, verdict=held, note=note))
    return rows


def _asked(address: str) -> tuple[float, float]:
    """Return the seconds until counts and lines have come, and until the whole page has: values follow as a stream."""
    began, page, lines_s = time.perf_counter(), b"", 0.0
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Accept": "text/html"}), timeout=60) as answer:
        while piece := answer.read1():
            page += piece
            if not lines_s and LINES_END in page:
                lines_s = time.perf_counter() - began
    assert lines_s, "there are lines on the page"
    return lines_s, time.perf_counter() - began


def _painted(chromium: Browser, address: str) -> float:
    with _page(chromium) as page:
        page.add_init_script(f"({PAINTED})()")
        page.goto(address)
        page.wait_for_function("window.painted", timeout=60_000)
        return float(page.evaluate("painted")) / 1000


def _scrolled(url: str, chromium: Browser, plan: Plan) -> list[Row]:
    """Scroll down without end; compare what is held after the first pages with what is held at the end."""
    with _page(chromium) as page:
        page.goto(url + _address(plan))
        session = page.context.new_cdp_session(page)
        passed = _scroll(page, WARM * 100, 60.0)
        before = _held(session)
        began = time.perf_counter()
        passed += _scroll(page, plan.scrolled_lines - passed, plan.scroll_s)
        seconds = time.perf_counter() - began
        after = _held(session)
        rows = page.locator("#lines .row").count()
    note = (
        f"{passed:,} lines, {rows} of them on the page; nodes {before['Nodes']:,.0f} → {after['Nodes']:,.0f}, "
        f"heap {before['JSHeapUsedSize'] / 1e6:.1f} → {after['JSHeapUsedSize'] / 1e6:.1f} MB"
    )
    held = all(after[name] <= ROOM * before[name] for name in before) and passed >= WARM * 100
    return [Row("explorer", "an endless list, scrolled", seconds, passed, verdict=verdict(held), note=note)]


def _scroll(page: Page, lines: int, seconds: float) -> int:
    return int(page.evaluate(f"([n, s]) => ({SCROLL})([n, performance.now() + s * 1000])", [lines, seconds]))


def _held(session: CDPSession) -> dict[str, float]:
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return {name: found[name] for name in ("Nodes", "JSHeapUsedSize")}


def _live(plan: Plan) -> list[Row]:
    """Write 5,000 lines a second to a followed file while the page shows them live."""
    folder = fresh(OUT / "explorer-live")
    log = folder / "app.log"
    log.write_text(_line(0) + "\n")
    over, sent = threading.Event(), [0]
    with running(folder) as (url, _), _chromium() as chromium, _page(chromium) as page:
        page.add_init_script(f"({LONG})()")
        page.goto(f"{url}/explore?q={quote(ALL)}")
        page.wait_for_selector("#lines .row", timeout=60_000)
        page.keyboard.press("l")
        page.wait_for_selector("#live[aria-pressed=true]")
        writer = threading.Thread(target=_write, args=(log, over, sent))
        began = time.perf_counter()
        writer.start()
        page.wait_for_timeout(1_000)
        page.evaluate("long.length = 0")
        page.wait_for_timeout(plan.live_s * 1_000)
        longest = float(page.evaluate("Math.max(0, ...long)"))
        busy_s = float(page.evaluate("long.reduce((all, one) => all + one, 0)")) / 1000
        over.set()
        writer.join()
        seconds = time.perf_counter() - began
        arrived = _settled(page, sent[0])
        rows, said = page.locator("#lines .row").count(), page.locator("#tail-counts").inner_text()
    shutil.rmtree(folder)
    note = f"{sent[0]:,} sent, {arrived:,} counted; {rows} rows on the page; said: {' '.join(said.split())}"
    held = arrived == sent[0] and longest <= LONG_TASK_MS
    tasks = f"longest task {longest:.0f} ms, long tasks {busy_s:.2f} s of {plan.live_s:.0f} s; {note}"
    return [Row("explorer", "live lines", seconds, sent[0], verdict=verdict(held), note=tasks)]


def _settled(page: Page, sent: int) -> int:
    """Return how many lines the page says have come, as soon as these are all, at the latest after a while."""
    deadline, arrived = time.monotonic() + LAST_S, -1
    while arrived != sent and time.monotonic() < deadline:
        found = re.search(r"[\d,]+", page.locator("#tail-counts b").first.inner_text())
        arrived = int(found[0].replace(",", "")) if found else -1
        page.wait_for_timeout(100)
    return arrived


def _write(log: Path, over: threading.Event, sent: list[int]) -> None:
    began, count = time.monotonic(), LINES_A_SECOND // WRITES_A_SECOND
    with log.open("a", buffering=1 << 20) as file:
        while not over.is_set():
            file.writelines(f"{_line(sent[0] + place)}\n" for place in range(count))
            file.flush()
            sent[0] += count
            over.wait(max(0.0, began + sent[0] / LINES_A_SECOND - time.monotonic()))


def _line(number: int) -> str:
    level = "error" if number % 50 == 0 else "info"
    return json.dumps({"level": level, "message": f"request {number} done", "status": 200, "duration_ms": number % 97})


@contextmanager
def _chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        sys.exit("there is no Chromium: scripts/chromium installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def _page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()
