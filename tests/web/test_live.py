import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tailrace import limits
from tailrace.web import live
from tailrace.web.explorer.search import live as search_live
from web.conftest import NOW_NS, House, S, wait_until


def events(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    """Read server-sent events: name and data; comments come as `comment`."""
    name, data = "", []
    for line in answer.iter_lines():
        if line.startswith(":"):
            yield "comment", line[1:].strip()
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif not line and name:
            yield name, "\n".join(data)
            name, data = "", []


def pages(answer: httpx.Response) -> Iterator[tuple[dict[str, Any], str]]:
    """Read what the page is sent: counts, and rows."""
    for name, data in events(answer):
        if name == "lines":
            head, _, html = data.partition("\n")
            yield json.loads(head), html


def test_new_lines_come_as_json_lines(house: House) -> None:
    house.store((-S, "before"), host="a")
    with house.client.stream("GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        found = events(answer)
        assert next(found) == ("comment", "following")
        house.store((-3 * S, "late"), (0, "new\nwith two\r\u2028\x85lines"), host="a", fields={"status": 7})
        house.store((0, "other"), host="b")
        name, data = next(found)
        assert name == "lines"
        rows = [json.loads(line) for line in data.split("\n")]
        assert [row["line"] for row in rows] == ["late", "new\nwith two\r\u2028\x85lines"]
        assert rows[0]["fields"] == {"status": "7"}
        assert rows[0]["labels"] == {"host": "a", "service_name": "app"}


def test_new_lines_come_as_rows_of_the_page_newest_first(house: House) -> None:
    with house.client.stream("GET", "/explore/live") as answer:
        found = pages(answer)
        head, html = next(found)
        assert (head, html) == ({"at": "2026-01-01T00:00:00Z", "arrived": 0, "shown": 0, "left": 0, "late": 0}, "")
        house.store((-12 * S, "<b>one"), (-1 * S, "two"), level="warn")
        head, html = next(found)
        times = ["2025-12-31T23:59:48Z", "2025-12-31T23:59:59.000000001Z"]
        assert head == {"at": "2026-01-01T00:00:00Z", "arrived": 2, "shown": 2, "left": 0, "late": 1, "times": times}
        assert html.count('<li class="row lv-warn') == 2
        assert "&lt;b&gt;one" in html
        assert html.index(">two<") < html.index("&lt;b&gt;one")


def test_of_too_many_lines_the_page_shows_some_that_lie_evenly_and_counts_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_live, "SHOWN", 4)
    monkeypatch.setattr(live, "POLL_ROWS", 20)
    with house.client.stream("GET", "/explore/live") as answer:
        found = pages(answer)
        next(found)
        house.store(*[(number, f"line {number:02}") for number in range(32)], host="a")
        head, html = next(found)
        assert (head["arrived"], head["shown"], head["left"]) == (32, 4, 28)
        assert head["times"] == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000000032Z"]  # of all of them
        shown = [int(number) for number in re.findall("line ([0-9]+)", html)]
        # of the newest 20, which are 12 to 31: one of each part of five
        assert [(number - 12) // 5 for number in shown] == [3, 2, 1, 0]


def test_a_sample_meets_no_rhythm_of_the_lines() -> None:
    """Of 1,000 lines of which each tenth is an error, 100 are shown: about ten errors, not none or all."""
    places = live._places(1_000, 100)
    assert places.is_sorted()
    assert [place // 10 for place in places] == list(range(100))
    assert 8 <= sum(place % 10 == 0 for place in places) <= 12


@pytest.mark.parametrize(("height", "room"), [(512, 500), (501, 500), (999, 500), (1_000, 500), (1_001, 500), (700, 1)])
def test_a_sample_has_no_line_twice(height: int, room: int) -> None:
    places = live._places(height, room)
    assert places.is_sorted()
    assert places.n_unique() == room == len(places)
    assert places.is_between(0, height, closed="left").all()


def test_lines_beyond_the_limit_are_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIVE_ROWS", 10)
    with house.client.stream("GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}) as answer:
        found = events(answer)
        next(found)
        house.store(*[(-1_000 + number, f"line {number}") for number in range(25)], host="a")
        assert next(found) == ("dropped", "15")
        name, data = next(found)
        assert name == "lines"
        assert [json.loads(line)["line"] for line in data.split("\n")] == [f"line {number}" for number in range(15, 25)]


def lines_after(house: House, place: str, *, header: bool = True) -> list[str]:
    """Connect again behind a place; return what the first event brings."""
    headers, given = ({"Last-Event-ID": place}, {}) if header else ({}, {"after": place})
    asked = {"query": '{host="a"}', **given}
    with house.client.stream("GET", "/api/v1/logs/tail", params=asked, headers=headers) as answer:
        _, data = next(one for one in events(answer) if one[0] == "lines")
        return [json.loads(line)["line"] for line in data.split("\n")]


def test_who_connects_again_misses_nothing_and_sees_nothing_twice(house: House) -> None:
    house.store((-S, "before"), host="a")
    with house.client.stream("GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}) as answer:
        places = (line[4:] for line in answer.iter_lines() if line.startswith("id: "))
        begin = next(places)
        house.store((0, "seen"), host="a")
        seen = next(places)
    house.store((-50 * S, "late, while away"), host="a")
    house.store((S, "later"), host="a")
    assert lines_after(house, seen) == ["late, while away", "later"]
    assert lines_after(house, seen, header=False) == ["late, while away", "later"]
    assert lines_after(house, begin) == ["late, while away", "seen", "later"]


def test_a_place_is_that_of_the_last_event_and_moves_on_while_nothing_fits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SILENCE_S", 0.5)
    with house.client.stream("GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}) as answer:
        places = (int(line[4:].partition("-")[0]) for line in answer.iter_lines() if line.startswith("id: "))
        begin = next(places)
        house.store((0, "of another"), host="b")
        assert begin + 1 in (next(places), next(places))


def test_who_was_away_for_too_long_is_told_of_the_gap(house: House) -> None:
    place = f"0-{NOW_NS - 90 * S}"
    with house.client.stream("GET", "/explore/live", params={"after": place}) as answer:
        head, _ = next(pages(answer))
        assert head["gap"] == ["2025-12-31T23:58:30Z", "2026-01-01T00:00:00Z"]
    with house.client.stream(
        "GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}, headers={"Last-Event-ID": place}
    ) as answer:
        found = events(answer)
        assert [next(found), next(found)] == [
            ("comment", "following"),
            ("gap", '{"from": "2025-12-31T23:58:30Z", "to": "2026-01-01T00:00:00Z"}'),
        ]


@pytest.mark.parametrize("place", ["x", "1-", "-1-5", "99999999999999999999-1", "7-1\u0662"])
def test_a_place_that_is_none_is_now(house: House, place: str) -> None:
    house.store((-S, "before"), host="a")
    with house.client.stream("GET", "/explore/live", params={"after": place}) as answer:
        head, _ = next(pages(answer))
        assert (head["arrived"], "gap" in head) == (0, False)


def test_a_wrong_query_is_refused_before_the_stream_begins(house: House) -> None:
    for path, name in (("/api/v1/logs/tail", "query"), ("/explore/live", "q")):
        for query in ("{", 'rate({a="b"}[1m])'):
            answer = house.client.get(path, params={name: query})
            assert answer.status_code == 400
    assert house.client.get("/api/v1/logs/tail", params={"query": "{"}).json()["error"]["column"] == 2


def test_one_tail_too_many_is_refused_and_an_ended_one_makes_room(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIVE_TAILS", 1)
    with house.client.stream("GET", "/explore/live") as answer:
        found = events(answer)
        next(found)
        assert b"tailrace_live_tails 1.0" in house.client.get("/metrics").content
        refused = house.client.get("/explore/live")
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
    wait_until(lambda: b"tailrace_live_tails 0.0" in house.client.get("/metrics").content)


def test_a_tail_ends_when_the_process_drains(house: House) -> None:
    with house.client.stream("GET", "/explore/live") as answer:
        found = events(answer)
        next(found)
        assert next(found)[0] == "lines"
        house.is_ready[0] = False
        assert list(found) == []


def test_a_silent_tail_says_that_it_is_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENCE_S", 0.5)
    with house.client.stream("GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}) as answer:
        found = events(answer)
        assert [next(found), next(found)] == [("comment", "following"), ("comment", "still here")]
