"""Live tail over a websocket: both shapes, history, refusals before and after the upgrade, slow readers, the cap."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tailrace import limits
from web.conftest import NOW_NS, House, S, house, wait_until  # noqa: F401  the fixture

P = "/loki/api/v1"
FLAG = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
STREAM = {"app": "a", "service_name": "app"}


@contextmanager
def tail(
    house: House,  # noqa: F811
    headers: dict[str, str] | None = None,
    path: str = f"{P}/tail",
    **given: object,
) -> Iterator[ClientConnection]:
    asked = str(house.client.build_request("GET", path, params={"query": '{app="a"}'} | given).url)
    with connect(asked.replace("http", "ws", 1), additional_headers=headers or {}, proxy=None) as socket:
        yield socket


def frame(socket: ClientConnection) -> dict:
    return json.loads(socket.recv(timeout=10))


def test_history_comes_first_then_new_lines(house: House) -> None:  # noqa: F811
    house.store(*[(-at * S, f"{at}") for at in range(5, 0, -1)], app="a", fields={"id": "9f"})
    house.store((-2 * 3_600 * S, "too old"), app="a")
    with tail(house, limit=3) as socket:
        assert frame(socket) == {
            "streams": [
                {"stream": STREAM | {"id": "9f"}, "values": [[str(NOW_NS - at * S), f"{at}"] for at in (3, 2, 1)]}
            ]
        }
        house.store((0, "new"), app="a", fields={"id": "9f"})
        assert frame(socket) == {"streams": [{"stream": STREAM, "values": [[str(NOW_NS), "new"]]}]}


def test_with_the_flag_entries_have_three_parts(house: House) -> None:  # noqa: F811
    with tail(house, FLAG, query='{app="a"} | logfmt') as socket:
        house.store((0, "n=1"), app="a", fields={"id": "9f"})
        message = frame(socket)
        assert message["encodingFlags"] == ["categorize-labels"]
        assert message["streams"] == [
            {
                "stream": STREAM,
                "values": [[str(NOW_NS), "n=1", {"structuredMetadata": {"id": "9f"}, "parsed": {"n": "1"}}]],
            }
        ]


def test_without_the_flag_parsed_labels_are_in_the_stream(house: House) -> None:  # noqa: F811
    with tail(house, query='{app="a"} | logfmt') as socket:
        house.store((0, "n=1"), app="a", fields={"id": "9f"})
        assert frame(socket)["streams"] == [{"stream": STREAM | {"n": "1"}, "values": [[str(NOW_NS), "n=1"]]}]


@pytest.mark.parametrize(
    "given",
    [
        {"query": "{"},
        {"query": ""},
        {"delay_for": 6},
        {"delay_for": -1},
        {"limit": -1},
        {"limit": "x"},
        {"start": "soon"},
    ],
)
def test_a_mistake_is_said_before_the_upgrade(house: House, given: dict[str, object]) -> None:  # noqa: F811
    with pytest.raises(InvalidStatus) as refused, tail(house, **given):
        pass
    assert refused.value.response.status_code == 400
    assert refused.value.response.headers["content-type"] == "text/plain; charset=utf-8"
    assert b"\n" not in refused.value.response.body


def test_a_metric_query_is_said_after_it(house: House) -> None:  # noqa: F811
    with pytest.raises(ConnectionClosedError) as closed, tail(house, query='rate({app="a"}[1m])') as socket:
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert "log query" in closed.value.rcvd.reason


def test_a_stopping_server_says_goodbye(house: House) -> None:  # noqa: F811
    with tail(house) as socket:
        house.is_ready[0] = False
        with pytest.raises(ConnectionClosedOK):
            socket.recv(timeout=10)


def test_the_old_path_is_not_there(house: House) -> None:  # noqa: F811
    assert house.client.get("/loki/api/v2alpha/tail").status_code == 404
    with pytest.raises(InvalidStatus) as refused, tail(house, path="/loki/api/v2alpha/tail"):
        pass
    assert refused.value.response.status_code == 404
    assert house.client.get(f"{P}/tail", params={"query": '{app="a"}'}).status_code == 400


def test_one_tail_too_many_is_refused_and_an_ended_one_makes_room(
    house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "TAILS", 1)
    with tail(house):
        with pytest.raises(InvalidStatus) as refused, tail(house):
            pass
        assert refused.value.response.status_code == 429
    wait_until(lambda: "tailrace_loki_tails 0" in house.client.get("/metrics").text)
    with tail(house):
        pass


def test_what_is_too_much_is_dropped_and_named(house: House, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(limits, "LIVE_ROWS", 10)
    with tail(house) as socket:
        house.store(*[(at, f"{at}") for at in range(25)], app="a")
        message = frame(socket)
        assert [line for stream in message["streams"] for _, line in stream["values"]] == [
            f"{at}" for at in range(15, 25)
        ]
        assert message["dropped_entries"] == [{"timestamp": str(NOW_NS + at), "labels": STREAM} for at in range(15)]


def test_history_does_not_count_as_too_much(house: House, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(limits, "LIVE_ROWS", 2)
    house.store(*[(-at * S, f"{at}") for at in range(9, 0, -1)], app="a")
    with tail(house) as socket:
        assert len(frame(socket)["streams"][0]["values"]) == 9
        house.store((0, "new"), app="a")
        message = frame(socket)
        assert message["streams"][0]["values"] == [[str(NOW_NS), "new"]]
        assert "dropped_entries" not in message


def test_a_slow_reader_holds_nothing_up(house: House) -> None:  # noqa: F811
    with tail(house, limit=0) as socket:
        done = threading.Event()

        def write() -> None:
            for turn in range(5):
                house.store(*[(turn * 1000 + at, "x" * 2_000) for at in range(500)], app="a")
            house.store((S, "the last"), app="a")
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert done.wait(30)  # though nobody reads
        writer.join()
        last = ""
        while last != "the last":
            last = frame(socket)["streams"][-1]["values"][-1][1]


def test_lines_held_back_come_in_the_order_of_their_times(house: House) -> None:  # noqa: F811
    with tail(house, delay_for=1, limit=0) as socket:
        house.store((-S, "second"), app="a")
        house.store((-2 * S, "first"), app="a")
        lines: list[str] = []
        frames = 0
        while len(lines) < 2:
            lines += [line for stream in frame(socket)["streams"] for _, line in stream["values"]]
            frames += 1
        assert frames == 2 or lines == ["first", "second"]  # unless the look fell between the two


def test_a_page_of_another_origin_cannot_follow(house: House) -> None:  # noqa: F811
    with pytest.raises(InvalidStatus) as refused, tail(house, {"Origin": "http://evil.example"}):
        pass
    assert refused.value.response.status_code == 403
    host = f"{house.client.base_url.host}:{house.client.base_url.port}"
    with tail(house, {"Origin": f"http://{host}"}):
        pass
