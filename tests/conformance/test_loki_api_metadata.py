"""Loki's paths about streams and fields over a real table: bare and wrapped shapes, limits, orders, statuses.

Expected values are worked out by hand from the reference behaviour of Loki 3.7.
"""

import json

import pytest

from web.conftest import NOW_NS, House, S, house  # noqa: F401  the fixture

P = "/loki/api/v1"
NOW_S = NOW_NS // S


@pytest.fixture
def filled(house: House) -> House:  # noqa: F811  pytest's way
    house.store((-120 * S, "GET /a 200"), (-60 * S, "GET /b 500"), app="cart", host="a1")
    house.store((-30 * S, "paid"), level="warn", fields={"trace_id": "9f", "status": 500}, app="pay", host="a2")
    return house


def get(house: House, path: str, **given: object):  # noqa: F811
    return house.client.get(f"{P}/{path}", params=given)


def push(house: House, *values: list[object], **labels: str) -> None:  # noqa: F811
    body = {"streams": [{"stream": labels, "values": list(values)}]}
    assert house.client.post(f"{P}/push", json=body).status_code == 204


# --- volume ---------------------------------------------------------------------------------------


def test_volume_sums_bytes_by_the_labels_of_the_selector_the_largest_first(filled: House) -> None:
    data = get(filled, "index/volume", query='{app=~".+"}').json()["data"]
    assert data["resultType"] == "vector"
    assert data["result"] == [
        {"metric": {"app": "cart"}, "value": [NOW_S, "20"]},
        {"metric": {"app": "pay"}, "value": [NOW_S, "4"]},
    ]


def test_volume_of_target_labels(filled: House) -> None:
    data = get(filled, "index/volume", query='{app="cart"}', targetLabels="host,app").json()["data"]
    assert data["result"] == [{"metric": {"app": "cart", "host": "a1"}, "value": [NOW_S, "20"]}]
    assert get(filled, "index/volume", query='{app="cart"}', targetLabels="zone").json()["data"]["result"] == []


def test_volume_of_every_stream_names_all_labels(filled: House) -> None:
    result = get(filled, "index/volume", query="{}").json()["data"]["result"]
    assert [one["metric"] for one in result] == [
        {"app": "cart", "host": "a1", "service_name": "app"},
        {"app": "pay", "host": "a2", "service_name": "app"},
    ]


def test_volume_by_labels(filled: House) -> None:
    result = get(filled, "index/volume", query='{app=~".+"}', targetLabels="app,host", aggregateBy="labels").json()
    assert result["data"]["result"] == [
        {"metric": {"app": ""}, "value": [NOW_S, "24"]},
        {"metric": {"host": ""}, "value": [NOW_S, "24"]},
    ]


def test_volume_counts_to_the_nanosecond(filled: House) -> None:
    at = NOW_NS - 60 * S
    ask = {"query": '{app="cart"}'}
    assert get(filled, "index/volume", **ask, start=at, end=at + 1).json()["data"]["result"][0]["value"][1] == "10"
    assert get(filled, "index/volume", **ask, start=at + 1, end=NOW_NS).json()["data"]["result"] == []


def test_volume_limits(filled: House) -> None:
    ask = {"query": '{app=~".+"}'}
    assert len(get(filled, "index/volume", **ask, limit=1).json()["data"]["result"]) == 1
    assert len(get(filled, "index/volume", **ask, limit=0).json()["data"]["result"]) == 2
    assert get(filled, "index/volume", **ask, limit=-1).status_code == 400
    assert get(filled, "index/volume", **ask, aggregateBy="x").status_code == 400
    assert get(filled, "index/volume", query="{").status_code == 400


def test_volume_buckets_are_cut_at_multiples_of_the_step_and_stamped_with_their_end(filled: House) -> None:
    asked = {"query": '{app=~".+"}', "start": NOW_S - 120, "end": NOW_S, "step": "60s"}
    data = get(filled, "index/volume_range", **asked).json()["data"]
    assert data["resultType"] == "matrix"
    assert data["result"] == [
        {"metric": {"app": "cart"}, "values": [[NOW_S - 60, "10"], [NOW_S, "10"]]},
        {"metric": {"app": "pay"}, "values": [[NOW_S, "4"]]},
    ]


def test_volume_buckets_hold_nothing_outside_of_the_range(filled: House) -> None:
    asked = {"query": '{app="cart"}', "start": NOW_S - 119, "end": NOW_S - 30, "step": "60s"}
    data = get(filled, "index/volume_range", **asked).json()["data"]
    assert data["resultType"] == "vector"
    assert data["result"] == [{"metric": {"app": "cart"}, "value": [NOW_S, "10"]}]


# --- labels and fields ----------------------------------------------------------------------------


def test_detected_labels_leave_out_identifiers(filled: House) -> None:
    filled.store((-S, "x"), app="ids", host="a1", pid="77", pod="12", uid="2b1c9a54-6d7e-4f80-91a2-b3c4d5e6f708")
    assert get(filled, "detected_labels").json() == {
        "detectedLabels": [
            {"label": "app", "cardinality": 3},
            {"label": "host", "cardinality": 2},
            {"label": "pod", "cardinality": 1},
            {"label": "service_name", "cardinality": 1},
        ]
    }
    only = get(filled, "detected_labels", query='{app="pay"}').json()["detectedLabels"]
    assert {"label": "app", "cardinality": 1} in only


def test_detected_fields_of_metadata_json_and_logfmt(house: House) -> None:  # noqa: F811
    nested = {"o": {"id": 7, "list": [1]}, "took": "15ms", "size": "1.5 KB", "ok": True, "gone": None, "name": "x"}
    push(
        house,
        [str(NOW_NS - 3), json.dumps(nested), {"trace_id": "9f"}],
        [str(NOW_NS - 2), json.dumps({"o": {"id": 8}})],
        [str(NOW_NS - 1), "ratio=0.5 app=inner"],
        app="cart",
    )
    body = get(house, "detected_fields", query='{app="cart"}').json()
    assert body["limit"] == 1000
    fields = {field.pop("label"): field for field in body["fields"]}
    assert fields["o_id"] == {"type": "int", "cardinality": 2, "parsers": ["json"], "jsonPath": ["o", "id"]}
    assert fields["took"]["type"] == "duration"
    assert fields["size"]["type"] == "bytes"
    assert fields["ok"]["type"] == "boolean"
    assert fields["name"]["type"] == "string"
    assert fields["ratio"] == {"type": "float", "cardinality": 1, "parsers": ["logfmt"]}
    assert fields["trace_id"] == {"type": "string", "cardinality": 1, "parsers": None}
    assert fields["app_extracted"]["parsers"] == ["logfmt"]
    assert not {"o_list", "gone", "app", "service_name"} & set(fields)


def test_values_of_a_detected_field(house: House) -> None:  # noqa: F811
    push(house, [str(NOW_NS - 2), "size=1KB n=1"], [str(NOW_NS - 1), "size=2.5MB n=2"], app="cart")
    ask = {"query": '{app="cart"}'}
    assert get(house, "detected_field/size/values", **ask).json() == {"values": ["2.5MB", "1.0kB"], "limit": 1000}
    assert get(house, "detected_field/n/values", **ask, limit=1).json() == {"values": ["2"], "limit": 1}
    assert get(house, "detected_field/none/values", **ask).json() == {"values": [], "limit": 1000}


def test_detected_fields_take_the_labels_that_the_query_parses(house: House) -> None:  # noqa: F811
    push(house, [str(NOW_NS - 1), "GET /a 200"], app="cart")
    query = '{app="cart"} | pattern "<method> <path> <status>"'
    fields = {one["label"]: one for one in get(house, "detected_fields", query=query).json()["fields"]}
    assert fields["status"] == {"label": "status", "type": "int", "cardinality": 1, "parsers": ["pattern"]}


def test_detected_fields_limits(house: House) -> None:  # noqa: F811
    push(house, *[[str(NOW_NS - at), f"n={at} m={at}"] for at in range(1, 6)], app="cart")
    ask = {"query": '{app="cart"}'}
    names = [one["label"] for one in get(house, "detected_fields", **ask, field_limit=2).json()["fields"]]
    assert names == ["m", "n"]
    few = {one["label"]: one for one in get(house, "detected_fields", **ask, line_limit=2).json()["fields"]}
    assert few["n"]["cardinality"] == 2
    assert get(house, "detected_fields", **ask, line_limit=6000).status_code == 400
    assert get(house, "detected_fields", query="sum(rate({a='b'}[1m]))").status_code == 400
    assert get(house, "detected_fields", query="vector(1)").status_code == 400
    assert get(house, "detected_fields", query='{app="none"}').json() == {}


# --- patterns, limits -----------------------------------------------------------------------------


def test_patterns_with_their_counts_by_level(house: House) -> None:  # noqa: F811
    for at in range(20):
        house.store((-1000 * S + at * S, f"GET /item/{at} took {at}ms for us"), level="info", app="cart")
    house.store((-900 * S, "cache is empty"), level="warn", app="cart")
    body = get(house, "patterns", query='{app="cart"}', step="10s").json()
    assert body["status"] == "success"
    first, second = body["data"]
    start = NOW_S - 1000
    assert first == {"pattern": "GET <_> took <_> for us", "level": "info", "samples": [[start, 10], [start + 10, 10]]}
    assert second == {"pattern": "cache is empty", "level": "warn", "samples": [[NOW_S - 900, 1]]}
    found = get(house, "query_range", query='{app="cart"} |> `GET <_> took <_> for us`').json()["data"]["result"]
    assert sum(len(stream["values"]) for stream in found) == 20


def test_limits_for_drilldown(house: House) -> None:  # noqa: F811
    body = get(house, "drilldown-limits").json()
    assert body["pattern_ingester_enabled"] is True
    assert body["version"] == "3.7.0"
    assert set(body["limits"]) == {
        "discover_log_levels",
        "discover_service_name",
        "log_level_fields",
        "max_entries_limit_per_query",
        "max_line_size_truncate",
        "max_query_bytes_read",
        "max_query_length",
        "max_query_lookback",
        "max_query_range",
        "max_query_series",
        "metric_aggregation_enabled",
        "pattern_persistence_enabled",
        "query_timeout",
        "retention_period",
        "volume_enabled",
        "volume_max_series",
    }


@pytest.mark.parametrize(
    "path",
    [
        "labels",
        "label/app/values",
        "series",
        "index/stats",
        "index/volume",
        "index/volume_range",
        "detected_labels",
        "detected_fields",
        "detected_field/status/values",
        "patterns",
        "query_range",
    ],
)
def test_a_form_is_as_good_as_an_address(filled: House, path: str) -> None:
    asked = {"query": '{app=~".+"}', "match[]": '{app=~".+"}', "start": str(NOW_S - 300), "end": str(NOW_S)}
    by_address = filled.client.get(f"{P}/{path}", params=asked)
    by_form = filled.client.post(f"{P}/{path}", data=asked)
    assert (by_form.status_code, by_address.status_code) == (200, 200)
    assert by_form.headers["content-type"] == "application/json; charset=UTF-8"
    assert by_form.headers["x-tailrace-complete"] == "true"
    if path == "query_range":
        return  # its statistics differ
    without = [json.loads(answer.text) for answer in (by_form, by_address)]
    for body in without:
        if isinstance(body.get("data"), dict):
            body["data"].pop("stats", None)
    assert without[0] == without[1]
