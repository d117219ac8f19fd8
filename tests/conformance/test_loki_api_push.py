"""What senders see of a push over a real table: repeats, what is derived at ingest, and what each client retries."""

import pytest

from tailrace.errors import TransientError
from web.conftest import NOW_NS, FakeSink, House, S, house, house_with  # noqa: F401  the fixtures

P = "/loki/api/v1"
NOW_S = NOW_NS // S


def body(*values: list[object], **labels: str) -> dict[str, object]:
    return {"streams": [{"stream": labels, "values": list(values)}]}


def count(house: House, query: str) -> list[str]:  # noqa: F811
    answer = house.client.get(f"{P}/query", params={"query": query, "time": NOW_S})
    return [one["value"][1] for one in answer.json()["data"]["result"]]


def lines(house: House, query: str) -> list[str]:  # noqa: F811
    answer = house.client.get(f"{P}/query_range", params={"query": query})
    return [line for stream in answer.json()["data"]["result"] for _, line in stream["values"]]


def test_a_push_that_is_sent_again_counts_once(house: House) -> None:  # noqa: F811
    first = body([str(NOW_NS - 9), "one"], [str(NOW_NS - 8), "two"], [str(NOW_NS - 8), "two"], app="cart")
    more = body([str(NOW_NS - 8), "two"], [str(NOW_NS - 7), "three"], app="cart")
    for one in (first, first, more):
        assert house.client.post(f"{P}/push", json=one).status_code == 204
    assert count(house, 'count_over_time({app="cart"}[1m])') == ["3"]
    assert lines(house, '{app="cart"}') == ["three", "two", "one"]
    assert "tailrace_push_repeated_total 5" in house.client.get("/metrics").text


def test_equal_entries_in_the_table_are_one_in_results(house: House) -> None:  # noqa: F811
    for metadata in ({"try": "1"}, {"try": "2"}):  # they differ in metadata only, so both are stored
        one = body([str(NOW_NS - 9), "one", metadata], app="cart")
        assert house.client.post(f"{P}/push", json=one).status_code == 204
    assert lines(house, '{app="cart"}') == ["one"]


def test_lines_of_files_are_told_apart_by_their_place(house: House) -> None:  # noqa: F811
    house.store((-9, "same"), (-9, "same"), app="file")
    assert lines(house, '{app="file"}') == ["same", "same"]


def test_an_idempotency_key_makes_a_repeat_a_no_op(house: House) -> None:  # noqa: F811
    for line in ("one", "another"):
        answer = house.client.post(
            f"{P}/push", json=body([str(NOW_NS - 9), line], app="cart"), headers={"Idempotency-Key": "batch-7"}
        )
        assert answer.status_code == 204
    assert lines(house, '{app="cart"}') == ["one"]


@pytest.mark.parametrize(
    ("labels", "service"),
    [
        ({"service_name": "x", "app": "y"}, "x"),
        ({"service": "s", "app": "y"}, "s"),
        ({"job": "j", "container": "c"}, "c"),
        ({"k8s_job_name": "k"}, "k"),
        ({"zone": "z"}, "unknown_service"),
        ({"app": "", "job": "j"}, "j"),
    ],
)
def test_the_service_name_is_derived(house: House, labels: dict[str, str], service: str) -> None:  # noqa: F811
    house.client.post(f"{P}/push", json=body([str(NOW_NS - 9), "x"], **labels))
    assert house.client.get(f"{P}/label/service_name/values").json()["data"] == [service]


@pytest.mark.parametrize(
    ("line", "metadata", "level"),
    [
        ("x", {"SeverityText": "WARN"}, "warn"),
        ("x", {"log.level": "err"}, "error"),
        ('{"a":{"level":"dbg"}}', {}, "debug"),
        ("lvl=trc x=1", {}, "trace"),
        ("a CRITICAL thing", {}, "critical"),
        ("level=information", {}, "info"),
        ("nothing said", {}, "unknown"),
        ("an error", {"detected_level": "fatal"}, "fatal"),
    ],
)
def test_the_level_is_detected(house: House, line: str, metadata: dict[str, str], level: str) -> None:  # noqa: F811
    house.client.post(f"{P}/push", json=body([str(NOW_NS - 9), line, metadata], app="cart"))
    assert lines(house, f'{{app="cart"}} | detected_level="{level}"') == [line]


RETRIED = {
    "alloy": lambda status: status == 429 or status >= 500,
    "vector": lambda status: status == 429 or (status >= 500 and status != 501),
    "fluent-bit": lambda status: not (200 <= status <= 205) and status != 400,
    "otlphttp": lambda status: status in {429, 502, 503, 504},
}


@pytest.mark.parametrize("client", RETRIED)
def test_every_client_keeps_what_was_not_stored_and_drops_what_never_can_be(house_with, client: str) -> None:  # noqa: F811
    full = house_with(FakeSink(outcome=TransientError("the disk is full")))
    trouble = full.client.post(f"{P}/push", json=body([str(NOW_NS), "x"], app="a"))
    assert RETRIED[client](trouble.status_code)
    assert trouble.headers["retry-after"].isdigit()
    never = full.client.post(f"{P}/push", json=body(["soon", "x"], app="a"))
    assert not RETRIED[client](never.status_code)
    assert never.status_code == 400
