import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc import status_pb2

from intake.otlp.messages import T, record, request
from tailrace import limits
from tailrace.clock import ManualClock
from tailrace.errors import TransientError
from tailrace.intake.gate import Gate
from tailrace.intake.settings import IntakeSettings
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from web.conftest import NOW_NS, _served
from web.houses import restarted

PATH = "/v1/logs"
MESSAGE = request(record("no stock", attributes={"status": 500}), name="app")
PROTO = MESSAGE.SerializeToString()
TEXT = json.dumps(json_format.MessageToDict(MESSAGE)).encode()
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (PATH, PROTO, PROTOBUF),
        ("/otlp/v1/logs", PROTO, PROTOBUF),
        (PATH, TEXT, JSON),
        (PATH, gzip.compress(PROTO), PROTOBUF | {"content-encoding": "gzip"}),
        (PATH, zstandard.compress(PROTO), PROTOBUF | {"content-encoding": "zstd"}),
        (PATH, zlib.compress(TEXT), JSON | {"content-encoding": "deflate"}),
    ],
)
def test_every_encoding_gives_the_same_rows(kept, path, body, headers) -> None:
    answer = kept.client.post(path, content=body, headers=headers)
    kind = headers["content-type"].partition(";")[0]
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == (b"{}" if kind == "application/json" else b"")
    row = kept.sink.batches[0].frame.row(0, named=True)
    assert (row["_time_ns"], row["_line"], row["status"], row["scope_name"]) == (T, "no stock", 500, "app")
    assert row["_stream"] == '{service_name="cart"}'


def test_nothing_succeeds(kept) -> None:
    client = kept.client
    assert client.post(PATH, content=b"", headers=PROTOBUF).status_code == 200
    assert client.post(PATH, content=b"{}", headers=JSON).status_code == 200
    assert client.post(PATH, content=b'{"resourceLogs": []}', headers=JSON).status_code == 200
    assert kept.sink.batches == []


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "says"),
    [
        (PROTO[:-2], PROTOBUF, 400, 3, "malformed protobuf"),
        (b"\x0a\xff\xff\xff\xff\x07", PROTOBUF, 400, 3, "malformed protobuf"),
        (b"\xff" * 64, PROTOBUF, 400, 3, "malformed protobuf"),
        (TEXT[:-1], JSON, 400, 3, "no JSON"),
        (b"[]", JSON, 400, 3, "$ is no object"),
        (b'{"resourceLogs": {}}', JSON, 400, 3, "$.resourceLogs is no list"),
        (b'{"resourceLogs": [5]}', JSON, 400, 3, "$.resourceLogs[0] is no object"),
        (b"[" * 100_000, JSON, 400, 3, "no JSON"),
        (TEXT, JSON | {"content-encoding": "gzip"}, 400, 3, "no gzip"),
        (TEXT, JSON | {"content-encoding": "br"}, 400, 3, "not known"),
        (PROTO, {"content-type": "text/plain"}, 415, 3, "application/x-protobuf"),
        (PROTO, {}, 415, 3, "application/x-protobuf"),
        (
            gzip.compress(bytes(limits.PUSH_BODY_BYTES + 1), 1),
            PROTOBUF | {"content-encoding": "gzip"},
            413,
            8,
            "larger",
        ),
    ],
)
def test_what_can_never_be_stored_is_refused_with_a_status(kept, body, headers, status, code, says) -> None:
    answer = kept.client.post(PATH, content=body, headers=headers)
    assert answer.status_code == status
    if headers is JSON or "json" in headers.get("content-type", ""):
        told = answer.json()
    else:
        message = status_pb2.Status.FromString(answer.content)
        told = {"code": message.code, "message": message.message}
    assert told["code"] == code
    assert says in told["message"]
    assert kept.sink.batches == []


@pytest.mark.parametrize("outcome", [TransientError("the disk is full"), "refuse", ValueError("a bug")])
def test_trouble_is_503_with_the_time_to_come_back(kept, outcome) -> None:
    client = kept.client
    kept.sink.outcome = outcome
    answer = client.post(PATH, content=TEXT, headers=JSON)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["code"] == 14
    assert answer.json()["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "5s"}]
    assert "bug" not in answer.text
    told = status_pb2.Status.FromString(client.post(PATH, content=PROTO, headers=PROTOBUF).content)
    assert told.code == 14
    assert told.details[0].type_url == "type.googleapis.com/google.rpc.RetryInfo"
    assert told.details[0].value == b"\x0a\x02\x08\x05"  # 1 retry_delay {1 seconds}


def test_other_methods_are_405(kept) -> None:
    assert kept.client.get(PATH).status_code == 405


def test_records_are_found_and_their_keys_known_after_a_restart(house) -> None:
    sent = request(record("one", attributes={"log.record.uid": "u1"}), record("two")).SerializeToString()
    assert house.client.post(PATH, content=sent, headers=PROTOBUF).status_code == 200
    with restarted(house) as client:
        assert client.post(PATH, content=sent, headers=PROTOBUF).status_code == 200
    asked = {"query": 'sum by (log_record_uid) (count_over_time({service_name="cart"}[1m]))', "time": str(T + 10**9)}
    result = house.client.get("/loki/api/v1/query", params=asked).json()["data"]["result"]
    assert {one["metric"].get("log_record_uid", ""): one["value"][1] for one in result} == {"u1": "1", "": "2"}


@pytest.fixture
def crowded(kept) -> Iterator[httpx.Client]:
    """A server of whose room another request holds all but a little."""
    accounts, clock = Accounts(), ManualClock(NOW_NS)
    gate = Gate(IntakeSettings(), clock=clock, accounts=accounts)
    services = replace(kept.house.services, gate=gate, accounts=accounts)
    with (
        gate.request("127.0.0.1", limits.INTAKE_BYTES - 100, receiver="other"),
        _served(create_app(services)) as address,
        httpx.Client(base_url=address, timeout=20, trust_env=False) as client,
    ):
        yield client


def test_too_much_at_once_is_429_before_anything_is_stored(kept, crowded) -> None:
    told = crowded.post(PATH, content=TEXT, headers=JSON)
    assert (told.status_code, told.headers["retry-after"]) == (429, "1")
    assert (told.json()["code"], told.json()["details"][0]["retryDelay"]) == (14, "1s")
    bulk = b'{"create":{"_index":"a"}}\n{"message":"' + b"x" * 200 + b'"}\n'
    told = crowded.post("/elasticsearch/_bulk", content=bulk)
    assert (told.status_code, told.headers["retry-after"]) == (429, "1")
    assert told.json()["error"]["type"] == "es_rejected_execution_exception"
    assert kept.sink.batches == []
