"""Batches of agents over HTTP into a real table: once, in order, whoever sends them and however often."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import polars as pl
import pytest

from store.rows import START_NS, batch, lines
from tailrace import limits
from tailrace.batch import LIFE_BITS
from tailrace.errors import TransientError
from tailrace.shipment import Heading, pack
from web.conftest import FakeSink, House

PATH = "/ship/v1/batches"


def ship(house: House, number: int, after: int, *texts: str, agent: str = "web-1", **more: object) -> httpx.Response:
    body = pack(batch(list(texts), start_ns=START_NS + number % 1_000 * 10**9).frame) if texts else b""
    heading = Heading(agent, number, after, "files", len(texts), 10 * len(texts), **more)
    return house.client.post(PATH, content=body, headers=heading.headers())


def test_a_batch_is_stored_once_however_often_it_comes(house: House) -> None:
    for _ in range(3):
        answer = ship(house, 4, -1, "a", "b")
        assert (answer.status_code, answer.json()) == (200, {"held": 4})
    assert ship(house, 5, 4, "c").json() == {"held": 5}
    assert ship(house, 4, -1, "a", "b").json() == {"held": 5}
    assert lines(house.table) == ["a", "b", "c"]
    assert house.client.get("/ship/v1/agents/web-1").json() == {"agent": "web-1", "held": 5}
    assert house.client.get("/ship/v1/agents/web-2").json() == {"agent": "web-2", "held": None}


def test_batches_that_come_at_once_are_stored_in_their_order(house: House) -> None:
    ship(house, 0, -1, "0")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: ship(house, n, n - 1, str(n)), [4, 3, 2, 1]))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert lines(house.table) == ["0", "1", "2", "3", "4"]


def test_a_batch_whose_predecessor_does_not_come_is_sent_back(house: House) -> None:
    ship(house, 0, -1, "0")
    answer = ship(house, 2, 1, "2")
    assert answer.status_code == 409
    assert answer.json() == {"held": 0, "error": "batch 2 of agent web-1 is to follow number 1, and the table holds 0"}
    assert ship(house, 1, 0, "1").json() == {"held": 1}
    assert ship(house, 2, 1, "2").json() == {"held": 2}
    assert lines(house.table) == ["0", "1", "2"]


def test_a_later_life_ends_an_earlier_one(house: House) -> None:
    ship(house, 0, -1, "0")
    fence = 3 << LIFE_BITS
    assert ship(house, fence, 0).json() == {"held": fence}  # no rows, no body
    answer = ship(house, 1, 0, "late")
    assert answer.status_code == 409
    assert answer.json()["held"] == fence
    assert "has begun anew since: if this is another machine, give it a folder of its own" in answer.json()["error"]
    assert ship(house, fence + 1, fence, "1").status_code == 200
    assert lines(house.table) == ["0", "1"]


def test_two_servers_take_the_batches_of_one_agent(house: House) -> None:
    """The other server is a commit behind this one's back."""
    ship(house, 0, -1, "0")
    from tailrace.batch import Batch, Position

    other = batch(["1"])
    house.table.commit([Batch(other.frame, "ship", 1, 1, Position("web-1", 1, 0))])
    assert ship(house, 1, 0, "1").json() == {"held": 1}  # sent again here, since the other's answer was lost
    assert ship(house, 2, 1, "2").json() == {"held": 2}
    assert lines(house.table) == ["0", "1", "2"]


def test_agents_are_listed_with_what_waits_there(house: House) -> None:
    ship(house, 0, -1, "0", "1", backlog=1_000)
    ship(house, 0, -1, agent="db-1")
    agents = house.client.get("/ship/v1/agents").json()["agents"]
    assert [(one["agent"], one["held"], one["lines"], one["bytes"], one["backlog_bytes"]) for one in agents] == [
        ("db-1", 0, 0, 0, 0),
        ("web-1", 0, 2, 20, 1_000),
    ]
    assert {one["seen"] for one in agents} == {"2026-01-01T00:00:00Z"}
    account = house.accounts.of("ship")
    assert account.closed()
    assert account.lines["stored"] == 2


@pytest.mark.parametrize(
    ("body", "headers", "why"),
    [
        (b"x", {}, "Arrow"),
        (pack(batch(["a"]).frame)[:-8], {}, "Arrow"),
        (b"", {"tailrace-agent": "a/b"}, "no identity"),
        (b"", {"tailrace-number": "x"}, "Tailrace-Number"),
        (b"", {"tailrace-after": "9"}, "cannot follow"),
        (pack(batch(["a"]).frame.with_columns(_odd=1)), {}, "'_odd'"),
    ],
)
def test_what_is_no_batch_is_refused_and_nothing_kept(house: House, body: bytes, headers: dict, why: str) -> None:
    answer = house.client.post(
        PATH,
        content=body,
        headers={name.lower(): value for name, value in Heading("web-1", 7, 6).headers().items()} | headers,
    )
    assert answer.status_code == 400
    assert why in answer.text
    assert house.client.get("/ship/v1/agents/web-1").json()["held"] is None


def test_a_batch_that_is_too_large_is_refused_before_it_is_expanded(kept) -> None:
    line = pl.DataFrame({"_line": ["0" * 70 * limits.MIB] * 2})
    frame = line.with_columns(_time_ns=pl.lit(1, pl.Int64), _observed_ns=pl.lit(1, pl.Int64), _stream=pl.lit("{}"))
    answer = ship_frame(kept.client, frame)
    assert answer.status_code in {400, 413}
    assert "once it is expanded" in answer.text
    assert not kept.sink.batches


def ship_frame(client: httpx.Client, frame: pl.DataFrame) -> httpx.Response:
    return client.post(PATH, content=pack(frame), headers=Heading("web-1", 0, -1).headers())


def test_the_answer_waits_for_the_commit_and_a_failure_is_no_success(
    house_with: Callable[[FakeSink], House],
) -> None:
    sink = FakeSink("never")
    house = house_with(sink)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ship, house, 0, -1, "a")
        _until(lambda: sink.futures)
        assert not answer.done()
        sink.futures[0].set_result(None)
        assert answer.result(60).status_code == 200
    sink.outcome = TransientError("the disk is full")
    failed = ship(house, 1, 0, "b")
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "5")
    sink.outcome = "done"
    assert ship(house, 1, 0, "b").status_code == 200
    assert [made.position.number for made in sink.batches if made.position] == [0, 1, 1]


def test_a_batch_is_never_handed_on_before_the_one_that_it_follows(house_with: Callable[[FakeSink], House]) -> None:
    class Slow(FakeSink):
        """Takes long to take the first one."""

        def submit(self, given) -> Future[None]:
            if given.position.number == 1:
                taken.wait(60)
            return super().submit(given)

    taken, sink = threading.Event(), Slow()
    house = house_with(sink)
    ship(house, 0, -1, "0")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ship, house, 1, 0, "1")
        second = pool.submit(ship, house, 2, 1, "2")
        threading.Timer(0.3, taken.set).start()
        assert first.result(60).status_code == second.result(60).status_code == 200
    assert [made.position.number for made in sink.batches] == [0, 1, 2]


def _until(condition: Callable[[], object]) -> None:
    from web.conftest import wait_until

    wait_until(condition)


def test_the_answer_is_json(house: House) -> None:
    assert json.loads(ship(house, 0, -1).content) == {"held": 0}
