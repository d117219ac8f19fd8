import gzip
import json
import zlib
from collections.abc import Callable

import pytest
import zstandard

from tailrace import limits
from tailrace.errors import TransientError
from tailrace.web import jsonline
from web.conftest import FakeSink, House

PATH = "/ingest/jsonline"
LINES = b'{"time":"2026-01-01T00:00:00Z","msg":"a","n":1}\n{"time":"2026-01-01T00:00:01Z","msg":"b","n":2}\n'
ARRAY = b' [ {"time":"2026-01-01T00:00:00Z","msg":"a","n":1} ,\n{"time":"2026-01-01T00:00:01Z",\n"msg":"b","n":2}]\n'


def rows(sink: FakeSink) -> list[dict[str, object]]:
    return [row for batch in sink.batches for row in batch.frame.iter_rows(named=True)]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (LINES, None),
        (LINES[:-1], None),
        (LINES, "identity"),
        (gzip.compress(LINES), "gzip"),
        (gzip.compress(LINES[:48]) + gzip.compress(LINES[48:]), "gzip"),
        (zlib.compress(LINES), "deflate"),
        (zlib.compress(LINES)[2:-4], "deflate"),
        (zstandard.compress(LINES), "zstd"),
        (zstandard.compress(LINES[:48]) + zstandard.compress(LINES[48:]), "zstd"),
        (ARRAY, None),
        (gzip.compress(ARRAY), "gzip"),
        (b"\n\n" + LINES.replace(b"\n", b"\n\n"), None),
    ],
)
def test_every_form_gives_the_same_rows(house_with: Callable[[FakeSink], House], body, encoding) -> None:
    sink = FakeSink()
    headers = {"content-encoding": encoding} if encoding else {}
    answer = house_with(sink).client.post(PATH, content=body, headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    [batch] = sink.batches
    assert (batch.source, batch.lines, batch.position) == ("jsonline", 2, None)
    assert [(row["_line"], row["n"], row["_time_ns"]) for row in rows(sink)] == [
        ("a", 1, 1_767_225_600_000_000_000),
        ("b", 2, 1_767_225_601_000_000_000),
    ]
    assert {row["_stream"] for row in rows(sink)} == {'{service_name="jsonline", source="jsonline"}'}


@pytest.mark.parametrize(
    ("query", "stream"),
    [
        ("?host=db-3&service_name=shop", '{host="db-3", service_name="shop", source="jsonline"}'),
        ("?source=fleet", '{service_name="fleet", source="fleet"}'),
        ("?format=json&host=", '{service_name="jsonline", source="jsonline"}'),
    ],
)
def test_parameters_are_labels(house_with: Callable[[FakeSink], House], query, stream) -> None:
    sink = FakeSink()
    assert house_with(sink).client.post(PATH + query, content=LINES).status_code == 204
    assert {row["_stream"] for row in rows(sink)} == {stream}


def test_documents_of_file_events(house_with: Callable[[FakeSink], House]) -> None:
    sink = FakeSink()
    event = {"event": {"action": ["created"]}, "file": {"path": "/a"}, "host": {"name": "db-3"}}
    answer = house_with(sink).client.post(PATH + "?format=file_integrity", json=[event])
    assert answer.status_code == 204
    [row] = rows(sink)
    assert row["_stream"] == '{host="db-3", service_name="jsonline", source="file_events"}'
    assert (row["event_action"], row["file_path"], row["_line"]) == ("created", "/a", "created /a")


def test_bad_lines_do_not_refuse_the_good_ones(house_with: Callable[[FakeSink], House]) -> None:
    sink = FakeSink()
    answer = house_with(sink).client.post(PATH, content=b'{"a":1}\n\nbroken\n{"a":2}\n[1]\n')
    assert answer.status_code == 200
    assert answer.json() == {
        "stored": 4,
        "unfit": 2,
        "errors": [
            {"line": 3, "error": "JSONParserErr", "text": "broken"},
            {"line": 5, "error": "JSONParserErr", "text": "[1]"},
        ],
    }
    assert [(row["_line"], row["a"]) for row in rows(sink)] == [
        ('{"a":1}', 1),
        ("broken", None),
        ('{"a":2}', 2),
        ("[1]", None),
    ]


def test_the_text_is_kept_on_demand_and_times_have_a_zone(house_with: Callable[[FakeSink], House]) -> None:
    sink = FakeSink()
    body = b'{"time":"2026-07-01 12:00:00","msg":"a"}'
    house_with(sink).client.post(PATH + "?raw=keep&timezone=Europe/Berlin", content=body)
    [row] = rows(sink)
    assert row["_line"] == body.decode()
    assert row["_time_ns"] == 1_782_900_000_000_000_000  # 2026-07-01T10:00:00Z


def test_an_array_keeps_its_numbers_as_they_are(house_with: Callable[[FakeSink], House]) -> None:
    sink = FakeSink()
    answer = house_with(sink).client.post(PATH, content=b'[{"n":12345678901234567890123,"s":"x\\ny]","f":1.10}]')
    assert answer.status_code == 204
    [row] = rows(sink)
    assert (row["n"], row["s"], row["f"]) == ("12345678901234567890123", "x\ny]", 1.1)


@pytest.mark.parametrize(
    ("query", "body", "headers", "status", "says"),
    [
        ("", b"", {}, 400, "no line"),
        ("", b"\n \n", {}, 400, "no line"),
        ("", b"[]", {}, 400, "no line"),
        ("", b'[{"a":1}, {"b"}]', {}, 400, "element 2 of the array is no JSON"),
        ("", b'[{"a":1} {"b":1}]', {}, 400, "behind element 1"),
        ("", b'[{"a":1}', {}, 400, "behind element 1"),
        ("", b"[" * 100_000, {}, 400, "element 1 of the array is no JSON"),
        ("", b'[{"a":1}] x', {}, 400, "behind the array"),
        ("", b'["\xff"]', {}, 400, "not UTF-8 at byte 2"),
        ("", LINES, {"content-encoding": "br"}, 400, "'br' is not known"),
        ("", LINES, {"content-encoding": "zstd"}, 400, "no zstd"),
        ("", gzip.compress(LINES)[:-9], {"content-encoding": "gzip"}, 400, "ends too early"),
        ("?format=jsn", LINES, {}, 400, "format 'jsn' is not known"),
        ("?raw=yes", LINES, {}, 400, "auto or keep"),
        ("?timezone=Mars", LINES, {}, 400, "timezone 'Mars' is not known"),
        ("?a-b=1", LINES, {}, 400, "'a-b' is no label name"),
    ],
)
def test_what_is_refused(house: House, query, body, headers, status, says) -> None:
    answer = house.client.post(PATH + query, content=body, headers=headers)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text


@pytest.mark.parametrize(
    "pack",
    [
        lambda body: (body, ""),
        lambda body: (zstandard.compress(body), "zstd"),
        lambda body: (gzip.compress(body), "gzip"),
    ],
)
def test_a_body_that_is_too_large_as_sent_or_as_unpacked(house: House, monkeypatch, pack) -> None:
    monkeypatch.setattr(limits, "PUSH_BODY_BYTES", 10_000)
    body, encoding = pack(b'{"a":1}\n' * 2_000)
    answer = house.client.post(PATH, content=body, headers={"content-encoding": encoding})
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b'{"a":1}\n' * 21, b"[" + b",".join([b"{}"] * 21) + b"]"])
def test_a_body_of_too_many_lines(house: House, monkeypatch, body) -> None:
    monkeypatch.setattr(limits, "PUSH_LINES", 20)
    answer = house.client.post(PATH, content=body)
    assert (answer.status_code, "more than 20 lines" in answer.text) == (413, True)


def test_an_element_is_no_longer_than_what_is_looked_at_at_once(house_with, monkeypatch) -> None:
    monkeypatch.setattr(jsonline, "_WINDOW", 25)
    sink = FakeSink()
    house = house_with(sink)
    body = ",".join(f'{{"msg":"{at}", "n":{at}}}' for at in range(90, 110))
    assert house.client.post(PATH, content=f"[1234567, {body},\n123456789]").status_code == 200
    numbers = ["1234567", *(str(at) for at in range(90, 110)), "123456789"]
    assert [row["_line"] for row in rows(sink)] == numbers
    answer = house.client.post(PATH, content=f"[{body}, [[[[[[[[[[[[[[]]]]]]]]]]]]]]]")
    assert (answer.status_code, "element 21 of the array" in answer.text) == (400, True)


def test_nothing_is_acknowledged_that_is_not_stored(house_with: Callable[[FakeSink], House]) -> None:
    house = house_with(FakeSink(TransientError("the disk is full")))
    answer = house.client.post(PATH, content=LINES)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert house.accounts.of("jsonline").closed


def test_what_was_pushed_is_found(house: House) -> None:
    house.client.post(
        PATH + "?service_name=shop", content=json.dumps([{"time": "2025-12-31T23:59:00Z", "msg": "hello", "code": 7}])
    )
    answer = house.client.get("/loki/api/v1/query_range", params={"query": '{service_name="shop"} | code = 7'})
    [stream] = answer.json()["data"]["result"]
    assert stream["values"][0][1] == "hello"
