import gzip
import json
from dataclasses import replace

import pytest

from tailrace import limits
from tailrace.errors import TransientError
from tailrace.web.tenants import confined
from web.conftest import NOW_NS
from web.houses import restarted

PATH = "/elasticsearch/_bulk"
NDJSON = {"content-type": "application/x-ndjson"}
T = "2026-01-02T03:04:05.678Z"
T_NS = 1_767_323_045_678_000_000


def body(*lines: object) -> bytes:
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)


def create(index: str = "logs-cart", **more: str) -> dict[str, object]:
    return {"create": {"_index": index, **more}}


def test_documents_become_rows(kept) -> None:
    document = {
        "@timestamp": T,
        "message": "no stock",
        "host": {"name": "a1"},
        "log": {"level": "error", "file": {"path": "/var/log/cart.log"}},
        "http": {"response": {"status_code": 500}},
        "service": {"name": "cart"},
    }
    answer = kept.client.post(PATH, content=body(create(_id="b3-77"), document), headers=NDJSON)
    assert answer.status_code == 200
    assert answer.headers["x-elastic-product"] == "Elasticsearch"
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert list(told) == ["took", "errors", "items"]
    assert b'"errors":false' in answer.content
    assert told["items"] == [{"create": {"_index": "logs-cart", "_id": "b3-77", "status": 201}}]
    [batch] = kept.sink.batches
    row = batch.frame.row(0, named=True)
    assert row["_stream"] == (
        '{filename="/var/log/cart.log", host="a1", index="logs-cart", service_name="cart", source="elasticsearch"}'
    )
    assert (row["_time_ns"], row["_observed_ns"], row["_line"], row["_level"]) == (T_NS, NOW_NS, "no stock", "error")
    assert (row["__id"], row["http_response_status_code"], row["host_name"]) == ("b3-77", 500, "a1")
    assert "service_name" not in row


def test_each_action_has_its_item_in_order(kept) -> None:
    sent = body(
        {"index": {"_index": "a"}},
        {"message": "one"},
        {"delete": {"_index": "a", "_id": "9"}},
        {"update": {"_index": "a", "_id": "8"}},
        {"doc": {"message": "new"}},
        {"create": {}},
        {"message": "two"},
    )
    answer = kept.client.post("/elasticsearch/b/_bulk", content=sent.rstrip(), headers=NDJSON)
    items = answer.json()["items"]
    assert [(kind, item["status"]) for one in items for kind, item in one.items()] == [
        ("index", 201),
        ("delete", 400),
        ("update", 400),
        ("create", 201),
    ]
    assert [item["_index"] for one in items for item in one.values()] == ["a", "a", "a", "b"]
    assert b'"errors":true' in answer.content
    assert kept.sink.batches[0].frame["_line"].to_list() == ["one", "two"]


def test_a_document_without_time_has_that_of_its_arrival(kept) -> None:
    kept.client.post(PATH, content=body(create(), {"message": "x"}), headers=NDJSON)
    assert kept.sink.batches[0].frame["_time_ns"].to_list() == [NOW_NS]


@pytest.mark.parametrize("stamp", [1_767_323_045_678, "1767323045678", "2026-01-02T04:04:05.678+01:00"])
def test_times_are_read_as_clients_write_them(kept, stamp) -> None:
    document = {"time": "2020-01-01T00:00:00Z", "@timestamp": stamp, "message": "x"}
    kept.client.post(PATH, content=body(create(), document), headers=NDJSON)
    assert kept.sink.batches[0].frame["_time_ns"].to_list() == [T_NS]


def test_a_document_that_is_no_json_is_kept_as_text(kept) -> None:
    sent = body(create(), b'{"message": "broken', create(), {"message": "whole"})
    answer = kept.client.post(PATH, content=sent, headers=NDJSON)
    assert [one["create"]["status"] for one in answer.json()["items"]] == [201, 201]
    frame = kept.sink.batches[0].frame
    assert frame["_line"].to_list() == ['{"message": "broken', "whole"]
    assert frame["_error"].to_list() == ["JSONParserErr", None]


def test_bytes_that_are_no_text_are_kept(kept) -> None:
    sent = body(create(), b'{"message": "caf\xe9"}')
    kept.client.post(PATH, content=sent, headers=NDJSON)
    assert kept.sink.batches[0].frame["_raw"].to_list() == [b'{"message": "caf\xe9"}']
    assert kept.sink.batches[0].frame["_line"].to_list() == ["caf\N{REPLACEMENT CHARACTER}"]


def test_a_repeated_id_is_409_and_no_error(kept) -> None:
    client = kept.client
    sent = body(create(_id="1"), {"message": "a"}, create(_id="2"), {"message": "b"}, create(_id="1"), {"message": "c"})
    first = client.post(PATH, content=sent, headers=NDJSON).json()
    assert [one["create"]["status"] for one in first["items"]] == [201, 201, 409]
    again = client.post(PATH, content=sent, headers=NDJSON)
    assert [one["create"]["status"] for one in again.json()["items"]] == [409, 409, 409]
    assert b'"errors":false' in again.content
    assert sum(batch.frame.height for batch in kept.sink.batches) == 2
    other = client.post(PATH, content=body(create("other", _id="1"), {"message": "a"}), headers=NDJSON).json()
    assert other["items"][0]["create"]["status"] == 201


def test_index_replaces_only_what_differs(kept) -> None:
    client = kept.client

    def status(kind: str, line: str) -> int:
        sent = body({kind: {"_index": "a", "_id": "1"}}, {"@timestamp": T, "message": line})
        return client.post(PATH, content=sent, headers=NDJSON).json()["items"][0][kind]["status"]

    assert [status("index", "one"), status("index", "one"), status("index", "two")] == [201, 409, 201]
    assert status("create", "three") == 409


def test_what_was_stored_before_the_start_is_known(house) -> None:
    sent = body(
        create(_id="1"), {"@timestamp": T, "message": "a"}, {"index": {"_index": "x", "_id": "2"}}, {"message": "b"}
    )
    assert house.client.post(PATH, content=sent, headers=NDJSON).json()["errors"] is False
    with restarted(house) as client:
        again = client.post(PATH, content=sent, headers=NDJSON).json()
    assert [item["status"] for one in again["items"] for item in one.values()] == [409, 409]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"", "no action"),
        (b"\n\n", "no action"),
        (body(create()), "missing"),
        (body(create(), {"message": "x"}, create()), "missing"),
        (body({"message": "x"}, create()), "no action"),
        (body({"create": {}}, {"message": "x"}), "names no index"),
        (b'{"create": {"_index": }\n{}\n', "line 1"),
        (b'{"create": 5}\n{}\n', "line 1"),
        (b"\xff\xfe\n{}\n", "no action"),
    ],
)
def test_what_is_no_bulk_is_refused_whole(kept, sent, says) -> None:
    answer = kept.client.post(PATH, content=sent, headers=NDJSON)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert says in answer.json()["error"]["reason"]
    assert kept.sink.batches == []


def test_many_actions_of_which_one_is_bad_are_refused_with_the_line(kept) -> None:
    lines = [line for number in range(50) for line in (create(_id=str(number)), {"message": "x"})]
    lines[60] = b'{"create": {"_index": "a", "_id": }}'
    answer = kept.client.post(PATH, content=body(*lines), headers=NDJSON)
    assert answer.status_code == 400
    assert "line 61" in answer.text


@pytest.mark.parametrize("outcome", [TransientError("the disk is full"), "refuse", ValueError("a bug")])
def test_trouble_of_the_store_is_of_the_whole_request(kept, outcome) -> None:
    kept.sink.outcome = outcome
    answer = kept.client.post(PATH, content=body(create(_id="t"), {"message": "x"}), headers=NDJSON)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-elastic-product"] == "Elasticsearch"


def test_what_failed_is_not_known(kept) -> None:
    kept.sink.outcome = TransientError("the disk is full")
    client, sent = kept.client, body(create(_id="f"), {"message": "x"})
    assert client.post(PATH, content=sent, headers=NDJSON).status_code == 503
    kept.sink.outcome = "done"
    assert client.post(PATH, content=sent, headers=NDJSON).json()["items"][0]["create"]["status"] == 201


def test_gzip_and_put(kept) -> None:
    packed = gzip.compress(body(create(), {"message": "x"}))
    answer = kept.client.put(PATH, content=packed, headers=NDJSON | {"content-encoding": "gzip"})
    assert answer.json()["items"][0]["create"]["status"] == 201


def test_odd_names_are_written_as_json(kept) -> None:
    odd = 'a"\\\n\N{SNOWMAN}'
    answer = kept.client.post(PATH, content=body(create(_id=odd), {"message": "x"}), headers=NDJSON)
    assert answer.json()["items"][0]["create"]["_id"] == odd


def test_a_thousand_different_actions(kept) -> None:
    lines = [line for number in range(1_000) for line in (create(f"i{number % 3}", _id=f"m{number}"), {"n": number})]
    answer = kept.client.post(PATH, content=body(*lines), headers=NDJSON).json()
    assert [item["create"]["_id"] for item in answer["items"]] == [f"m{number}" for number in range(1_000)]
    assert [item["create"]["_index"] for item in answer["items"]] == [f"i{number % 3}" for number in range(1_000)]
    assert kept.sink.batches[0].frame["n"].to_list() == list(range(1_000))


def test_each_index_has_a_shape_of_its_own(kept) -> None:
    for index, value in (("shape-a", 1), ("shape-b", "one"), ("shape-a", 2)):
        kept.client.post(PATH, content=body(create(index), {"message": "x", "v": value}), headers=NDJSON)
    assert [batch.frame["v"].to_list() for batch in kept.sink.batches] == [[1], ["one"], [2]]


def test_more_lines_than_a_request_may_have_are_refused(kept) -> None:
    answer = kept.client.post(PATH, content=b"{" + b"\n" * (2 * limits.PUSH_DOCUMENTS + 1), headers=NDJSON)
    assert answer.status_code == 413
    assert "lines" in answer.text


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"[" * 100_000,
        b'{"n": 123456789012345678901234567890, "m": 1e999}',
        b'{"a": "\\ud800", "a": 2}',
        b'{"_id": "mine", "_stream": "mine", "_time_ns": "mine", "message": {"a": 1}}',
        b'{"' + b"k" * 100_000 + b'": 1}',
        b'{"@timestamp": 99999999999999999999, "message": []}',
        b"\0",
        b"null",
        b'"text"',
    ],
)
def test_odd_documents_are_kept(kept, document) -> None:
    answer = kept.client.post(PATH, content=body(create(), document), headers=NDJSON)
    assert answer.json()["items"] == [{"create": {"_index": "logs-cart", "status": 201}}]
    [line] = kept.sink.batches[0].frame["_line"].to_list()
    assert line


def test_an_empty_document_is_the_fault_of_its_action_alone(kept) -> None:
    answer = kept.client.post(PATH, content=body(create(), b"", create(), {"message": "x"}), headers=NDJSON).json()
    assert [item["create"]["status"] for item in answer["items"]] == [400, 201]


def test_keys_are_each_tenants_own(house) -> None:
    sent = body(create(_id="1"), {"@timestamp": T, "message": "a"})

    def status(tenant: str) -> int:
        mine = replace(house, services=confined(house.services, tenant))
        with restarted(mine) as client:
            return client.post(PATH, content=sent, headers=NDJSON).json()["items"][0]["create"]["status"]

    assert [status("acme"), status("other"), status("acme"), status("other")] == [201, 201, 409, 409]
