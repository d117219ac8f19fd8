"""The twin over HTTP: answers, what they were made of, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx import Client

from tailrace.twin.keeper import take
from twin.world import START_NS, World, event, folder, made, served


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path / "data")
    found.happen(
        folder("created", "/d"), folder("created", "/d/e", 1), made("created", "/d/a b*", 2, size=3, owner="ann")
    )
    found.happen(
        made("created", "/d/e/x", 3, size=5, process_name="cp"), made("created", "/d/y", 4, size=7), host="other"
    )
    return found


@pytest.fixture
def client(world: World) -> Iterator[Client]:
    with served(world.twin) as found:
        yield found


def rows(response) -> list[dict]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_ls(client: Client) -> None:
    found = rows(client.get("/api/v1/files/ls", params={"path": "/d/"}))
    assert [(row["host"], row["path"], row["type"], row["size"]) for row in found] == [
        ("other", "/d/y", "file", 7),
        ("web-1", "/d/a b*", "file", 3),
        ("web-1", "/d/e", "dir", 4096),
    ]
    assert len(rows(client.get("/api/v1/files/ls", params={"path": "/d", "recursive": "true"}))) == 5
    assert len(rows(client.get("/api/v1/files/ls", params={"path": "/d", "recursive": "1", "limit": 2}))) == 2
    assert [row["path"] for row in rows(client.get("/api/v1/files/ls?path=/d/e&recursive=1&host=other"))] == ["/d/e/x"]
    assert rows(client.get("/api/v1/files/ls?path=/nothing")) == []


def test_what_an_answer_was_made_of(client: Client, world: World) -> None:
    answer = client.get("/api/v1/files/ls?path=/d")
    names = ("As-Of", "Version", "Complete", "Open-Gaps")
    assert [answer.headers[f"x-tailrace-{name}"] for name in names] == ["2023-11-14T22:13:20Z", "-1", "true", "0"]


def test_du(client: Client) -> None:
    assert rows(client.post("/api/v1/files/du", data={"path": "/d"})) == [
        {"path": "/d", "bytes": 4096 * 2 + 15, "allocated": 5 * 4096, "files": 3, "dirs": 2}
    ]
    assert rows(client.get("/api/v1/files/du?path=/d&by=host&dirs=false&top=1"))[0]["host"] == "other"
    assert [row["path"] for row in rows(client.get("/api/v1/files/du?path=/d&depth=1"))] == ["/d", "/d/e"]


def test_as_of(client: Client, world: World) -> None:
    world.clock.advance(60)
    moment = str(START_NS + 1_500_000_000)
    assert len(rows(client.get("/api/v1/files/ls", params={"path": "/d", "recursive": "1", "as_of": moment}))) == 2
    assert len(rows(client.get("/api/v1/files/ls?path=/d&recursive=1&as_of=59s"))) == 2
    assert len(rows(client.get("/api/v1/files/ls?path=/d&recursive=1&as_of=now"))) == 5


def test_diff_history_usage_health(client: Client, world: World) -> None:
    world.clock.advance(60)
    found = rows(client.get("/api/v1/files/diff?path=/d&from=59s&to=now&depth=0"))
    assert [(row["path"], row["bytes"], row["who"]) for row in found] == [("/d", 15, ["cp"])]
    assert [row["action"] for row in rows(client.get("/api/v1/files/history?path=/d/e/x"))] == ["created"]
    assert rows(client.get("/api/v1/files/usage?path=/d")) == []
    assert rows(client.get("/api/v1/files/health"))[0]["paths"] == 5


def test_condense_is_for_post(client: Client, world: World) -> None:
    world.happen(made("updated", "/d/y", size=8))
    take(world.twin.files, world.logs, world.twin.engine)
    assert client.get("/api/v1/files/condense").status_code == 405
    (done,) = rows(client.post("/api/v1/files/condense"))
    assert (done["records"], done["uncondensed"]) == (6, 0)


@pytest.mark.parametrize(
    ("question", "what"),
    [
        ("ls?path=d", "path='d' is not absolute"),
        ("ls?as_of=yesterday", "as_of='yesterday' is no time"),
        ("ls?recursive=perhaps", "recursive='perhaps' is neither true nor false"),
        ("ls?limit=-1", "limit='-1' is no whole number from 0 on"),
        ("ls?version=9", "version=9 of the table of files is not there"),
        ("du?by=ownr", "by='ownr' is not known"),
        ("diff?from=1h&to=2h", "is not before"),
    ],
)
def test_refusals_say_what_is_wrong(client: Client, question: str, what: str) -> None:
    answer = client.get(f"/api/v1/files/{question}")
    assert answer.status_code == 400
    assert what in answer.json()["error"]["what"]


def test_a_hint_names_what_was_meant(client: Client) -> None:
    assert client.get("/api/v1/files/du?by=ownr").json()["error"]["hint"] == "did you mean 'owner'?"


def test_an_event_while_nobody_keeps_is_seen(client: Client, world: World) -> None:
    world.happen(event("deleted", "/d"))
    assert {row["host"] for row in rows(client.get("/api/v1/files/ls?path=/d&recursive=1"))} == {"other", "web-1"} - {
        "web-1"
    }


ODD = [
    "",
    "-1",
    "1e999",
    "999999999999999999",
    "\x00",
    "é",
    "now",
    "9223372036854775807",
    "292y",
    "/../..",
    "//",
    "1677-09-22T00:00:00Z",
]
NAMES = {
    "ls": ("path", "host", "as_of", "version", "recursive", "limit"),
    "du": ("path", "as_of", "by", "depth", "top", "dirs"),
    "diff": ("path", "from", "to", "depth"),
    "history": ("path", "from", "to", "limit"),
    "usage": ("path", "from", "to", "depth"),
}


@pytest.mark.parametrize("kind", list(NAMES))
def test_no_value_is_a_failure_of_ours(client: Client, world: World, kind: str) -> None:
    world.clock.advance(60)
    for name in NAMES[kind]:
        for value in ODD:
            answer = client.get(f"/api/v1/files/{kind}", params={"path": "/d", "by": "dir", name: value})
            assert answer.status_code in (200, 400), (name, value, answer.text)


def test_depths_beyond_every_path_are_all_of_it(client: Client) -> None:
    found = rows(client.get("/api/v1/files/du?path=/d&depth=999999999999"))
    assert [row["path"] for row in found] == ["/d", "/d/e"]
