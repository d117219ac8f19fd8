"""What the page offers before anything is asked, for people who do not know yet what to ask."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

from tailrace.errors import TransientError
from tailrace.web.explorer.search import views
from web.conftest import S

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    import pytest

    from web.explorer.saved.conftest import Room

START = re.compile(r'<nav class="start".*?</nav>', re.DOTALL)


def start(client: httpx.Client, address: str = "/") -> str:
    return "".join(START.findall(unescape(client.get(address).raise_for_status().text)))


def test_errors_are_offered_by_service_with_their_number(room: Room, ask: Callable[..., httpx.Client]) -> None:
    client = ask()
    assert "Errors" not in start(client)
    room.house.store((-S, "it went"), level="info")
    assert "errors by" not in start(client).lower()
    room.house.store((-S, "it failed"), (-2 * S, "it failed, too"), level="error")
    room.house.store((-S, "it broke"), level="fatal")
    (way,) = re.findall(r'<a href="([^"]+)"><b>3</b> errors by service</a>', start(client))
    page = client.get(way).text
    assert [text in page for text in ("it failed", "it broke", "it went")] == [True, True, False]
    assert "split by <b>service_name</b>" in page
    assert "<bdi>app</bdi> <b>3</b>" in page


def test_searches_that_were_saved_last_are_offered(
    room: Room, ask: Callable[..., httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "OFFER_S", 20)  # a busy machine is no slow database
    room.house.store((-S, "one"))
    client = ask("ann")
    for number in range(4):
        room.house.clock.advance(1)
        client.post("/saved/new", data={"name": f"<b>search {number}", "address": "q=%7Ba%3D%22b%22%7D"})
    raw = client.get("/").text
    assert "<b>search" not in raw
    assert re.findall(r'href="(/s/\d)"', start(client)) == ["/s/4", "/s/3", "/s/2"]
    assert start(client, "/?q=%7Bservice_name%3D%22app%22%7D") == ""
    assert start(client, "/?tab=patterns") == ""


def test_the_lines_are_there_without_the_database_of_searches(
    room: Room, ask: Callable[..., httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> None:
        raise TransientError("gone")

    room.house.store((-S, "one line"))
    monkeypatch.setattr(room.saved, "newest", gone)
    client = ask()
    assert "the database of saved searches did not answer" in start(client)
    assert "one line" in client.get("/").text
