import json

import polars as pl
import pytest
from google.protobuf import json_format

from intake.otlp.messages import T, record, request
from tailrace.intake.otlp import from_json, from_protobuf
from tailrace.intake.otlp.rows import rows

NOW = 1_800_000_000_000_000_000


def taken(message, labels=None) -> pl.DataFrame:
    """The rows of a message in protobuf, and in JSON: they are the same."""
    frame = rows(from_protobuf.decode(message.SerializeToString()), NOW, labels or {})
    text = json_format.MessageToDict(message)
    for logs in text["resourceLogs"]:
        for scope in logs["scopeLogs"]:
            for sent, one in zip(
                scope.get("logRecords", []), message.resource_logs[0].scope_logs[0].log_records, strict=True
            ):
                sent |= {
                    "traceId": one.trace_id.hex().upper(),
                    "spanId": one.span_id.hex(),
                    "severityNumber": one.severity_number,
                }
    other = rows(from_json.decode(json.dumps(text).encode()), NOW, labels or {})
    assert other.select(sorted(other.columns)).equals(frame.select(sorted(frame.columns)))
    return frame


def row(message) -> dict[str, object]:
    return taken(message).row(0, named=True)


def test_a_record_is_mapped_as_users_of_grafana_expect() -> None:
    found = row(
        request(
            record(
                "no stock",
                attributes={"http.status_code": 500, "ok": False, "took": 1.5, "user": {"id": "u1"}, "tags": ["a", 1]},
                observed_time_unix_nano=T + 5,
                severity_number=17,
                severity_text="ERROR",
                trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
                span_id=bytes.fromhex("eee19b7ec3c1b174"),
                event_name="sold.out",
                flags=1,
                dropped_attributes_count=2,
            ),
            resource={"service.name": "cart", "k8s.pod.name": "cart-7", "host.name": "a1"},
            scope={"lib.kind": "x"},
            name="app",
            version="1.2",
        )
    )
    assert found == {
        "_time_ns": T,
        "_observed_ns": NOW,
        "_line": "no stock",
        "_stream": '{k8s_pod_name="cart-7", service_name="cart"}',
        "_level": "error",
        "severity_text": "ERROR",
        "severity_number": 17,
        "trace_id": "5b8efff798038103d269b633813fc60c",
        "span_id": "eee19b7ec3c1b174",
        "event_name": "sold.out",
        "flags": 1,
        "dropped_attributes_count": 2,
        "observed_timestamp": T + 5,
        "http_status_code": 500,
        "ok": False,
        "took": 1.5,
        "user_id": "u1",
        "tags": '["a",1]',
        "scope_name": "app",
        "scope_version": "1.2",
        "lib_kind": "x",
        "host_name": "a1",
    }


@pytest.mark.parametrize(
    ("time_ns", "observed_ns", "expected"),
    [(T, 1, T), (0, T, T), (0, 0, NOW), (2**64 - 1, T, T), (2**63, 0, NOW), (2**63 - 1, 1, 2**63 - 1)],
)
def test_time_is_that_of_the_event_else_of_the_observation_else_now(time_ns, observed_ns, expected) -> None:
    assert row(request(record(time_ns=time_ns, observed_time_unix_nano=observed_ns)))["_time_ns"] == expected


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("text", "text"),
        ("", ""),
        (None, ""),
        (5, "5"),
        (True, "true"),
        (1.5, "1.5"),
        ({"a": [1, "b", None]}, '{"a":[1,"b",null]}'),
        (b"\x00\xff", "AP8="),
        ("x" * 200, "x" * 200),
        ("y" * 20_000, "y" * 20_000),
    ],
)
def test_a_body_is_text_or_json(body, line) -> None:
    assert row(request(record(body)))["_line"] == line


@pytest.mark.parametrize(
    ("number", "text", "line", "level"),
    [
        (1, "", "x", "trace"),
        (8, "", "x", "debug"),
        (9, "ERROR", "x", "info"),
        (24, "", "x", "fatal"),
        (0, "Warning", "x", "warn"),
        (0, "", "an ERROR came", "error"),
        (99, "", "x", None),
        (0, "", "x", None),
    ],
)
def test_level(number, text, line, level) -> None:
    assert row(request(record(line, severity_number=number, severity_text=text)))["_level"] == level


def test_labels_are_few_and_service_name_is_always_there() -> None:
    assert taken(request(record(), resource={}))["_stream"][0] == '{service_name="unknown_service"}'
    found = taken(request(record(), resource={"k8s.container.name": "web"}), {"site": "b", "service_name": "given"})
    assert found["_stream"][0] == '{k8s_container_name="web", service_name="given", site="b"}'


@pytest.mark.parametrize("value", [-(2**63), 2**63 - 1, -1, 0, 1, 127, 128, 16_383, 16_384, 2**31, 2**53 + 1])
def test_integers_are_exact(value) -> None:
    assert row(request(record(attributes={"n": value})))["n"] == value


@pytest.mark.parametrize("key", ["k" * 127, "k" * 128, "k" * 200])
def test_long_names_are_columns_up_to_their_limit(key) -> None:
    assert row(request(record(attributes={key: "v"})))[key] == "v"


def test_what_cannot_be_a_column_is_in_more() -> None:
    found = row(request(record(attributes={"k" * 201: "v", "": 1, "...": True})))
    assert json.loads(found["_more"]) == {"k" * 201: "v", "": 1, "...": True}


def test_of_two_with_one_column_the_nearer_has_it() -> None:
    found = row(
        request(
            record(attributes={"a.b": 1, "a_b": 2, "host.name": "mine", "trace_id": "t"}, trace_id=b"\x01" * 16),
            resource={"host.name": "other", "service.name": "s"},
            scope={"host.name": "mine"},
        )
    )
    assert (found["a_b"], found["host_name"], found["trace_id"]) == (1, "mine", "01" * 16)
    assert json.loads(found["_more"]) == {"a_b": 2, "attribute_trace_id": "t", "resource_host_name": "other"}


def test_a_key_twice_in_a_record_keeps_both() -> None:
    one = record(attributes={"a": "first"})
    for value in ("second", "third"):
        one.attributes.append(record(attributes={"a": value}).attributes[0])
    found = row(request(one))
    assert found["a"] == "first"
    assert json.loads(found["_more"]) == {"a#2": "second", "a#3": "third"}


def test_types_that_meet_lose_nothing() -> None:
    frame = taken(
        request(
            record(attributes={"n": 1, "m": 2**60, "s": True}),
            record(attributes={"n": 1.5, "m": 0.5, "s": "yes"}),
            record(),
        )
    )
    assert frame["n"].to_list() == [1.0, 1.5, None]
    assert frame["m"].to_list() == [str(2**60), "0.5", None]
    assert frame["s"].to_list() == ["true", "yes", None]


def test_resources_of_several_types_and_records_in_order() -> None:
    message = request(record("a"), record("b"), resource={"n": 1})
    message.resource_logs.append(request(record("c"), resource={"n": "x", "service.name": "s"}).resource_logs[0])
    message.resource_logs.append(request(resource={"empty": True}).resource_logs[0])
    frame = rows(from_protobuf.decode(message.SerializeToString()), NOW, {})
    assert frame["_line"].to_list() == ["a", "b", "c"]
    assert frame["n"].to_list() == ["1", "1", "x"]
    assert frame["_stream"].to_list() == ['{service_name="unknown_service"}'] * 2 + ['{service_name="s"}']


def test_a_thousand_names_are_no_thousand_columns() -> None:
    frame = taken(request(record(attributes={f"k{number}": number for number in range(1_000)})))
    assert len([name for name in frame.columns if name.startswith("k")]) == 512
    assert len(json.loads(frame["_more"][0])) == 488


def test_bytes_that_are_no_text_are_kept() -> None:
    data = request(record("caf\N{LATIN SMALL LETTER E WITH ACUTE}", attributes={"a": "b"})).SerializeToString()
    bad = data.replace("\N{LATIN SMALL LETTER E WITH ACUTE}".encode(), b"\xff\xfe").replace(b"\x01b", b"\x01\xff")
    found = rows(from_protobuf.decode(bad), NOW, {}).row(0, named=True)
    assert found["_raw"] == b"caf\xff\xfe"
    assert found["_line"] == "caf" + 2 * "\N{REPLACEMENT CHARACTER}"
    assert found["a"] == r"\xff"


def test_nothing_is_nothing() -> None:
    assert rows(from_protobuf.decode(b""), NOW, {}).height == 0
    assert rows(from_json.decode(b"{}"), NOW, {}).height == 0
    assert rows(from_protobuf.decode(request().SerializeToString()), NOW, {}).height == 0


def test_many_records_get_fewer_columns_and_keep_every_value() -> None:
    height = 10_000  # 4 million places, 400 columns
    sent = [record(attributes={f"k{number % 500}": number}) for number in range(height)]
    frame = rows(from_protobuf.decode(request(*sent).SerializeToString()), NOW, {})
    columns = [name for name in frame.columns if name.startswith("k")]
    assert len(columns) == 400
    assert sum(frame[name].len() - frame[name].null_count() for name in columns) == 8_000
    assert json.loads(frame["_more"][450]) == {"k450": 450}
    assert frame["_more"].null_count() == 8_000
