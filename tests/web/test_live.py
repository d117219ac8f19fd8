import json
from collections.abc import Iterator

import httpx
import pytest

from tailrace import limits
from tailrace.web import live
from web.conftest import House, S, wait_until


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
        found = events(answer)
        next(found)
        house.store((-2 * S, "<b>one"), (-1 * S, "two"), level="warn")
        name, data = next(found)
        assert name == "lines"
        assert data.count('<li class="row lv-warn">') == 2
        assert "&lt;b&gt;one" in data
        assert data.index(">two<") < data.index("&lt;b&gt;one")


def test_lines_beyond_the_limit_are_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LIVE_ROWS", 10)
    with house.client.stream("GET", "/api/v1/logs/tail", params={"query": '{host="a"}'}) as answer:
        found = events(answer)
        next(found)
        house.store(*[(-1_000 + number, f"line {number}") for number in range(25)], host="a")
        name, data = next(found)
        assert name == "lines"
        assert [json.loads(line)["line"] for line in data.split("\n")] == [f"line {number}" for number in range(15, 25)]
        assert next(found) == ("dropped", "15")


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
        house.is_ready[0] = False
        assert list(found) == []


def test_a_silent_tail_says_that_it_is_there(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SILENCE_S", 0.5)
    with house.client.stream("GET", "/explore/live") as answer:
        found = events(answer)
        assert [next(found), next(found)] == [("comment", "following"), ("comment", "still here")]
