from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2

from sinks.receivers import Answer, FakeOtlp, around, serving, serving_grpc
from store.rows import batch
from tailrace.clock import ManualClock
from tailrace.config.load import parse
from tailrace.errors import ConfigError
from tailrace.sinks.otlp.settings import OtlpSettings
from tailrace.sinks.otlp.sink import otlp_sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_S = 60.0


@pytest.fixture(params=["http", "grpc"])
def fake(request: pytest.FixtureRequest) -> Iterator[tuple[FakeOtlp, str]]:
    serve = serving if request.param == "http" else serving_grpc
    with serve(FakeOtlp()) as made:
        yield made, request.param


def test_records_have_time_severity_attributes_and_an_id(fake, tmp_path: Path) -> None:
    receiver, protocol = fake
    sink = otlp_sink(OtlpSettings(url=receiver.url, protocol=protocol, token="hush"), around(tmp_path, "otlp"))
    sink.submit(batch(["one"], "a", 3, status=[200], _level=["warn"])).result(WAIT_S)
    sink.close()
    (record,) = receiver.records
    attributes = {pair.key: pair.value for pair in record.attributes}
    assert (record.time_unix_nano, record.severity_number, record.body.string_value) == (
        1_700_000_000_000_000_000,
        13,
        "one",
    )
    assert attributes["status"].int_value == 200
    assert attributes["log.record.uid"].string_value == "a-3-0"
    sent = {name.lower(): value for name, value in receiver.requests[0][2].items()}
    assert sent["authorization"] == "Bearer hush"


def test_what_is_partly_refused_is_set_aside_and_not_sent_again(fake, tmp_path: Path) -> None:
    receiver, protocol = fake
    receiver.partly.append((1, "too old"))
    sink = otlp_sink(OtlpSettings(url=receiver.url, protocol=protocol), around(tmp_path, "otlp"))
    sink.submit(batch(["one", "two"], "a", 0)).result(WAIT_S)
    sink.close()
    assert receiver.lines() == ["one", "two"]
    (letter,) = sink.dead_letters.letters()
    assert dict(letter.reasons) == {
        "the receiver refused 1 of 2 (it does not say which) of the records: too old": 2,
    }


def test_grpc_waits_as_long_as_retry_info_says(tmp_path: Path) -> None:
    clock = ManualClock()
    with serving_grpc(FakeOtlp()) as receiver:
        receiver.faults += [Answer(503, status_with_retry(seconds=11, nanos=500_000_000))]
        sink = otlp_sink(OtlpSettings(url=receiver.url, protocol="grpc"), around(tmp_path, "otlp", clock=clock))
        before_s = clock.monotonic_s()
        sink.submit(batch(["one"], "a", 0)).result(WAIT_S)
        sink.close()
    assert clock.monotonic_s() - before_s == pytest.approx(11.5)
    assert receiver.lines() == ["one"]


def status_with_retry(seconds: int, nanos: int) -> bytes:
    """Write google.rpc.Status {code: 14, message: "busy", details: [RetryInfo {retry_delay}]} as its schema says."""
    delay = duration_pb2.Duration(seconds=seconds, nanos=nanos).SerializeToString()
    info = bytes([1 << 3 | 2, len(delay)]) + delay
    detail = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info).SerializeToString()
    return b"\x08\x0e" + b"\x12\x04busy" + bytes([3 << 3 | 2, len(detail)]) + detail


@pytest.mark.parametrize(
    "status", [b"\xff" * 40, b"\x1a\xff\xff", descriptor_pb2.FieldDescriptorProto(name="x").SerializeToString()]
)
def test_nonsense_in_the_details_of_a_failure_is_no_failure_of_ours(tmp_path: Path, status: bytes) -> None:
    with serving_grpc(FakeOtlp()) as receiver:
        receiver.faults += [Answer(503, status)]
        sink = otlp_sink(OtlpSettings(url=receiver.url, protocol="grpc"), around(tmp_path, "otlp"))
        sink.submit(batch(["one"], "a", 0)).result(WAIT_S)
        sink.close()
    assert receiver.lines() == ["one"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("url: 'https://x:1', tls: {insecure_skip_verify: true}", "cannot skip"),
        ("url: 'http://x:1/v1/logs'", "has no path"),
    ],
)
def test_what_grpc_cannot_do_is_said_at_the_start(keys: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f"sinks: [{{type: otlp, protocol: grpc, {keys}}}]")


def test_a_user_is_told_to_a_receiver_over_grpc(tmp_path: Path) -> None:
    with serving_grpc(FakeOtlp()) as receiver:
        settings = OtlpSettings(url=receiver.url, protocol="grpc", user="me", password="hush")
        sink = otlp_sink(settings, around(tmp_path, "otlp"))
        sink.submit(batch(["one"], "a", 0)).result(WAIT_S)
        sink.close()
    assert receiver.requests[0][2]["authorization"] == "Basic bWU6aHVzaA=="
