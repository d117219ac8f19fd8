"""The pages of files over HTTP, as a browser without script gets them."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi import FastAPI

from tailrace.drift.baseline import About, Baseline, packed
from tailrace.web.explorer import frame as frames
from tailrace.web.explorer.files import drifted, views
from tailrace.web.explorer.files.look import PARTS
from tailrace.web.work import Work
from twin.world import START_NS, World, event, folder, made
from web.conftest import _served
from web.explorer.files.conftest import Room

PATHS = ["/files" if tab == "tree" else f"/files/{tab}" for tab in PARTS]
HOSTILE = [
    "<x-trap>",
    '" x-trap=1 autofocus',
    "{{ 7*191 }}",
    "new\nline",
    "user\u202etxt.exe",
    "a\\xff",
    "y" * 255,
    "*",
    " ",
]


@pytest.fixture
def filled(room: Room) -> Room:
    room.world.happen(
        folder("created", "/d"),
        folder("created", "/d/e", 1, mode="0755"),
        made("created", "/d/e/x", 2, size=5_000, process_name="cp", process_pid=7, user_name="ann"),
        made("created", "/d/f", 3, size=30),
    )
    room.world.clock.advance(60)
    return room


def text(page: str) -> str:
    """Return what one reads on a page."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def test_without_events_the_page_says_how_to_begin(room: Room) -> None:
    for path in PATHS:
        page = room.page(path)
        assert "type: file_events" in page
        assert f"tailrace watch /etc /srv --data {room.world.data}" in page


def test_the_tree(filled: Room) -> None:
    said = text(filled.page(path="/d"))
    assert "size 13 KiB" in said  # 4096 + 4096 + 5030
    assert "e / 8.9 KiB" in said  # 4096 + 5000
    assert "f 30 B" in said
    assert said.index("e / 8.9") < said.index("f 30 B")
    assert 'href="/files/history?path=%2Fd%2Ff&amp;host=web-1"' in filled.page(path="/d")


def test_a_folder_in_pages(room: Room) -> None:
    room.world.happen(*(made("created", f"/d/f{number:03}", number / 100) for number in range(450)))
    first, last = room.page(path="/d", sort="name"), room.page(path="/d", sort="name", page="3")
    assert "page 1 of 3" in text(first)
    assert ("f000 " in text(first), "f200 " in text(first), "f449 " in text(first)) == (True, False, False)
    assert ("f399 " in text(last), "f400 " in text(last), "f449 " in text(last)) == (False, True, True)
    assert "page 3 of 3" in text(room.page(path="/d", sort="name", page="99"))


def test_rows_for_the_script_are_those_of_the_page(filled: Room) -> None:
    rows = filled.page("/files/rows", path="/d/e", level="2")
    assert "<html" not in rows
    assert 'data-name="x"' in rows
    assert 'class="d2"' in rows
    assert filled.page("/files/rows", path="/nope").strip() == ""
    assert filled.client.get("/files/rows?path=d").status_code == 400


def test_the_past(filled: Room) -> None:
    page = filled.page(path="/d", as_of=str(START_NS + 2_500_000_000))
    assert "This is how it was at 2023-11-14T22:13:22.5Z" in text(page)
    assert "f 30 B" not in text(page)
    assert "as_of=" in page


def test_before_watching_began_a_page_says_so_and_leads_back(filled: Room) -> None:
    for host in ("", "box"):
        for path in PATHS:
            page = filled.page(path, as_of="now-1000d", **({"host": host} if host else {}))
            assert "No file system is watched yet" not in page, path
            assert "Back to now" in page
    assert "No file was known at this moment" in filled.page("/files", as_of="now-1000d")
    there = text(filled.page("/files", as_of="now-1000d", host="box"))
    assert "Nothing is known at / on box." in there


def test_a_mistake_can_be_mended_where_it_was_made(filled: Room) -> None:
    page = filled.page("/files", 400, path="d/e", host="box")
    assert "is not absolute" in page
    assert 'name="path" value="d/e"' in page
    page = filled.page("/files/growth", 400, **{"from": "yesterdayish"})
    assert 'name="from" value="yesterdayish"' in page


def test_one_of_several_hosts_is_to_be_chosen(filled: Room) -> None:
    filled.world.happen(made("created", "/big", size=99_999), host="db-1")
    said = text(filled.page())
    assert said.index("db-1 98 KiB") < said.index("web-1 13 KiB")
    assert "98 KiB" in text(filled.page(host="db-1"))
    assert "There is no host 'nobody'" in text(filled.page(host="nobody", status=400))


def test_what_is_not_there_any_more_has_a_history(filled: Room) -> None:
    filled.world.happen(event("deleted", "/d/f", 10, process_name="rm"))
    said = text(filled.page(path="/d/f"))
    assert "Nothing is known at /d/f on web-1. It was there once." in said
    assert "removed /d/f" in text(filled.page("/files/history", path="/d/f"))
    assert "It was there once" not in text(filled.page(path="/never"))


def test_changes_by_what_and_who(filled: Room) -> None:
    assert "4 events in 2 acts" in text(filled.page("/files/changes"))
    assert "1 event in 1 act" in text(filled.page("/files/changes", who="ann"))
    assert "0 events in 0 acts" in text(filled.page("/files/changes", action="deleted"))
    page = unescape(filled.page("/files/changes", who="ann"))
    assert "q=%7Bsource%3D%22file_events%22%2C+host%3D%22web-1%22%7D+%7C+file_path+%3D+%22%2Fd%2Fe%2Fx%22" in page


def test_what_a_form_does_not_ask_for_stays_in_the_address(filled: Room) -> None:
    kept = r'<input type="hidden" name="(\w+)" value="([^"]+)">'
    words = {"from": "now-7d", "as_of": "now", "sort": "name"}
    assert dict(re.findall(kept, filled.page("/files", **words))) == {"from": "now-7d", "sort": "name"}
    assert dict(re.findall(kept, filled.page("/files/changes", **words))) == {"as_of": "now", "sort": "name"}
    assert dict(re.findall(kept, filled.page("/files/health", **words))) == words


def test_a_page_beyond_the_last_is_the_last(filled: Room) -> None:
    assert "cp [7] by ann" in text(filled.page("/files/changes", page="99"))
    assert "/d/f" in text(filled.page("/files/drift", page="99", **{"from": str(START_NS)}))


def test_growth_and_drift_begin_when_watching_began(room: Room) -> None:
    room.world.happen(made("initial_scan", "/d/a", 1, size=100))
    room.world.happen(made("updated", "/d/a", 20, size=150))
    room.world.clock.advance(60)
    assert "+50 B" in text(room.page("/files/growth", path="/d"))
    assert "have been watched only since" in text(room.page("/files/growth", path="/d", **{"from": "now-1h"}))
    assert "added 0 removed 0 changed 1" in text(room.page("/files/drift", path="/d"))


def test_a_span_that_ends_before_it_begins_is_refused(filled: Room) -> None:
    for path in ("growth", "changes", "drift", "timeline"):
        page = filled.page(f"/files/{path}", status=400, **{"from": "now", "to": "now-1h"})
        assert "The span begins after it ends" in text(page)


def test_the_timeline_has_lines_and_acts(filled: Room) -> None:
    filled.world.others(2)
    said = text(filled.page("/files/timeline"))
    assert "2 lines of logs" in said
    assert "2 acts on files" in said
    assert "hello" in said


def test_gaps_are_told_everywhere(filled: Room) -> None:
    filled.world.happen(
        event("gap", "/", 5, event_start="2023-11-14T22:13:20Z", event_kind="state", event_reason="overflow")
    )
    assert "In 1 spans of time events may be missing" in text(filled.page())
    assert "still open overflow" in text(filled.page("/files/health"))


def test_condensing_leads_back_to_the_health(filled: Room) -> None:
    answer = filled.client.post("/files/condense")
    assert (answer.status_code, answer.headers["location"]) == (303, "/files/health")
    assert filled.client.get("/files/condense").status_code == 405


def test_a_baseline_that_is_sent(filled: Room) -> None:
    rows = drifted.files(filled.world.twin.now(), "web-1", ["/d"]).filter(~pl.col("file_path").str.ends_with("f"))
    texts = rows.with_columns(file_mtime=pl.lit(None, pl.String), file_ctime=pl.lit(None, pl.String))
    key = b"k" * 32
    signed = packed(Baseline(About(START_NS, "web-1", ("/d",)), texts), key)

    def sent(data: bytes, key: str = "") -> tuple[int, str]:
        answer = filled.client.post("/files/drift", data={"key": key}, files={"baseline": ("b.baseline", data)})
        return answer.status_code, text(answer.text)

    status, said = sent(signed, "k" * 32)
    assert status == 200
    assert "Now against the baseline b.baseline" in said
    assert "added 1 removed 0 changed 0 renamed 0" in said
    assert "the signature does not fit" in sent(signed, "x" * 32)[1]
    assert "is signed" in sent(signed)[1]
    assert "this is no baseline" in sent(b"nonsense")[1]
    assert "Key (empty for an unsigned one)" in sent(b"nonsense")[1]  # one can try again
    assert "Choose the file of a baseline" in sent(b"")[1]
    other = packed(Baseline(About(START_NS, "web-1", ("/d",)), pl.DataFrame({"a": [1]})), None)
    assert "It cannot be compared" in sent(other)[1]
    foreign = packed(Baseline(About(START_NS, "elsewhere", ("/d",)), texts), None)
    filled.world.happen(made("created", "/x"), host="db-1")
    assert "made on 'elsewhere'" in sent(foreign)[1]


def test_a_baseline_has_a_bound(filled: Room) -> None:
    head = {"content-type": "multipart/form-data; boundary=x"}
    assert filled.client.post("/files/drift", content=iter([b"--x--"]), headers=head).status_code == 413  # of no length


def test_what_takes_too_long_says_so(world: World) -> None:
    class Slow(Work):
        async def run(self, *_: object, **__: object) -> Any:
            raise TimeoutError

    app, frame = FastAPI(), frames.Frame("box")
    app.include_router(frames.routes(frame))
    app.include_router(views.routes(frame, world.twin, Slow()))
    with _served(app) as address:
        assert "It took too long" in text(httpx.get(f"{address}/files/drift").text)


class Parsed(HTMLParser):
    """A page as a browser reads it: its elements, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names |= {tag, *(name for name, _ in attrs)}

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize("path", PATHS)
def test_hostile_names_are_shown_and_do_nothing(room: Room, path: str) -> None:
    names = [
        made("created", f"/d/{name}/{name}", number, process_name=name, user_name=name)
        for number, name in enumerate(HOSTILE)
    ]
    room.world.happen(*names, host="<x-trap> x-trap=1")
    room.world.clock.advance(60)
    for name in ("/d", *(f"/d/{name}" for name in HOSTILE[:5])):
        parsed = Parsed(room.page(path, path=name).replace(" autofocus>Keys", ">Keys"))  # of the list of keys
        assert not parsed.names & {"x-trap", "autofocus", "onerror", "onclick"}
        assert "1337" not in parsed.said
        assert "\u202e" not in parsed.said
        assert "<x-trap>" in parsed.said


ODD = [
    *(("path", value) for value in ("\x00", "/../..", "//", "C:\\", "\\\\", "é")),
    *(
        (name, value)
        for name in ("from", "to", "as_of")
        for value in ("1677-09-22T00:00:00Z", "2262-01-01", "9" * 30, "1e9")
    ),
    *((name, "-1") for name in ("version", "page", "sort", "by", "color", "action", "who", "kind", "host")),
    ("page", "9" * 6),
    ("to", "2262-01-01T00:00:00Z"),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_value_is_a_failure_of_ours(filled: Room, path: str) -> None:
    for name, value in ODD:
        answer = filled.client.get(path, params={"path": "/d", name: value})
        assert answer.status_code in (200, 400), (name, value, answer.text[-500:])


def test_no_part_of_a_page_carries_style_or_script_of_its_own(filled: Room) -> None:
    for path in PATHS:
        main = filled.page(path, path="/d").partition("<main")[2]
        assert not re.search(r"\sstyle=|\son\w+=|<script|<style", main), path


def test_links_of_the_pages_lead_somewhere(filled: Room, world: World) -> None:
    seen: set[str] = set()
    for path in PATHS:
        for link in re.findall(r'href="(/files[^"]*)"', filled.page(path, path="/d")):
            seen.add(unescape(link))
    assert len(seen) > 20
    for link in seen:
        assert filled.client.get(link).status_code == 200, link
