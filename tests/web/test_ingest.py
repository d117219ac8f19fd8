import gzip
import json
import threading
import zlib
from collections.abc import Callable

import cramjam
import pytest

from tailrace import limits
from tailrace.errors import TransientError
from web import wire
from web.conftest import FakeSink, House, wait_until

T = 1_767_225_600_000_000_001
PATH = "/loki/api/v1/push"
BODY = {"streams": [{"stream": {"app": "cart"}, "values": [[str(T), "GET /cart 200", {"trace_id": "9f"}]]}]}
TEXT = json.dumps(BODY).encode()
PROTO = wire.push(wire.stream('{app="cart"}', wire.entry(T, "GET /cart 200", {"trace_id": "9f"})))
JSON = {"content-type": "application/json; charset=utf-8"}
SNAPPY = {"content-type": "application/x-protobuf"}


def snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def bare_deflate(body: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return pack.compress(body) + pack.flush()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (TEXT, JSON),
        (gzip.compress(TEXT), JSON | {"content-encoding": "gzip"}),
        (zlib.compress(TEXT), JSON | {"content-encoding": "deflate"}),
        (bare_deflate(TEXT), JSON | {"content-encoding": "deflate"}),
        (snappy(PROTO), SNAPPY),
        (snappy(PROTO), SNAPPY | {"content-encoding": "snappy"}),
        (snappy(PROTO), {"content-type": "application/octet-stream"}),
    ],
)
def test_every_encoding_gives_the_same_rows(house_with: Callable[[FakeSink], House], body, headers) -> None:
    sink = FakeSink()
    answer = house_with(sink).client.post(PATH, content=body, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    [batch] = sink.batches
    assert batch.position is None
    assert (batch.lines, batch.bytes) == (1, 13)
    row = batch.frame.row(0, named=True)
    assert (row["_time_ns"], row["_line"], row["trace_id"]) == (T, "GET /cart 200", "9f")
    assert row["_stream"] == '{app="cart", service_name="cart"}'


@pytest.mark.parametrize(
    ("body", "headers", "status", "says"),
    [
        (b"{", JSON, 400, "no JSON"),
        (TEXT, JSON | {"content-encoding": "gzip"}, 400, "no gzip"),
        (gzip.compress(TEXT)[:-9], JSON | {"content-encoding": "gzip"}, 400, "ends too early"),
        (TEXT, JSON | {"content-encoding": "deflate"}, 400, "deflate"),
        (TEXT, JSON | {"content-encoding": "br"}, 400, "not known"),
        (PROTO, SNAPPY, 400, "snappy"),
        (b"", SNAPPY, 400, "snappy"),
        (snappy(PROTO[:-3]), SNAPPY, 400, "protobuf"),
        (snappy(PROTO), SNAPPY | {"content-encoding": "gzip"}, 400, "not known"),
        (TEXT, {}, 400, "content type is missing"),
        (b'{"streams": []}', JSON, 422, "no stream"),
        (snappy(b""), SNAPPY, 422, "no stream"),
        (b"\xff\xff\xff\xff\x0f" + b"x" * 50, SNAPPY, 413, "larger"),
        (gzip.compress(b" " * (limits.PUSH_BODY_BYTES + 1), 1), JSON | {"content-encoding": "gzip"}, 413, "larger"),
    ],
)
def test_what_cannot_be_stored_is_refused_whole(house_with, body, headers, status, says) -> None:
    sink = FakeSink()
    house = house_with(sink)
    answer = house.client.post(PATH, content=body, headers=headers)
    assert answer.status_code == status
    assert says in answer.text
    assert "\n" not in answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert sink.batches == []
    assert b"tailrace_push_refused_total" in house.client.get("/metrics").content


def test_one_bad_entry_refuses_the_good_ones(house_with) -> None:
    sink = FakeSink()
    bad = {"streams": [*BODY["streams"], {"stream": {"a": "b"}, "values": [["soon", "x"]]}]}
    assert house_with(sink).client.post(PATH, json=bad).status_code == 400
    assert sink.batches == []


def test_a_stream_without_entries_is_fine(house_with) -> None:
    sink = FakeSink()
    assert (
        house_with(sink).client.post(PATH, json={"streams": [{"stream": {"a": "b"}, "values": []}]}).status_code == 204
    )
    assert sink.batches == []


def test_the_answer_waits_until_the_rows_are_durable(house_with) -> None:
    sink = FakeSink(outcome="wait")
    house = house_with(sink)
    answers: list[int] = []
    push = threading.Thread(target=lambda: answers.append(house.client.post(PATH, json=BODY).status_code))
    push.start()
    wait_until(lambda: sink.futures)
    assert house.accounts.of("loki_push").lines["pending"] == 1
    assert answers == []
    sink.futures[0].set_result(None)
    push.join(10)
    assert answers == [204]
    account = house.accounts.of("loki_push")
    assert (account.lines["stored"], account.bytes["stored"], account.closed()) == (1, 13, True)


@pytest.mark.parametrize("outcome", [TransientError("the disk is full"), "refuse"])
def test_trouble_of_the_store_is_503_and_said(house_with, outcome) -> None:
    house = house_with(FakeSink(outcome=outcome))
    answer = house.client.post(PATH, json=BODY)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    account = house.accounts.of("loki_push")
    assert (account.lines["rejected"], account.lines["pending"], account.closed()) == (1, 0, True)


def test_pushed_lines_are_found_at_once(house) -> None:
    assert house.client.post(PATH, content=snappy(PROTO), headers=SNAPPY).status_code == 204
    asked = {"query": '{app="cart"} | trace_id="9f"', "start": str(T), "end": str(T + 1)}
    [stream] = house.client.get("/loki/api/v1/query_range", params=asked).json()["data"]["result"]
    assert stream["values"] == [[str(T), "GET /cart 200"]]
