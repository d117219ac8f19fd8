import io
import json

import polars as pl
import pytest

from web.conftest import NOW_NS, House, S

ASK = {"query": '{host="a"}', "direction": "forward"}


@pytest.fixture
def filled(house: House) -> House:
    house.store((-2 * S, "one"), (-1 * S, "=two"), host="a", level="info", fields={"status": 500})
    return house


def test_json_lines_are_what_the_command_line_prints(filled: House) -> None:
    answer = filled.client.get("/api/v1/logs/query", params=ASK)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["x-tailrace-complete"] == "true"
    first, second = map(json.loads, answer.text.splitlines())
    assert first["time"] == "2025-12-31T23:59:58.000000000Z"
    assert first["labels"] == {"host": "a", "service_name": "app"}
    assert (first["line"], second["line"]) == ("one", "=two")


@pytest.mark.parametrize(("output", "holds"), [("raw", "one\n=two\n"), ("csv", "'=two"), ("text", "=two")])
def test_other_outputs(filled: House, output: str, holds: str) -> None:
    assert holds in filled.client.post("/api/v1/logs/query", data=ASK | {"output": output}).text


def test_parquet_holds_the_rows(filled: House) -> None:
    answer = filled.client.get("/api/v1/logs/query", params=ASK | {"output": "parquet"})
    assert pl.read_parquet(io.BytesIO(answer.content))["line"].to_list() == ["one", "=two"]


def test_all_lines_come_in_the_order_and_form_of_a_limited_answer(house: House) -> None:
    house.store(*((-n * S, f"line {n}") for n in range(1, 8)), app="many")
    for output in ("jsonl", "raw"):
        for direction in ("backward", "forward"):
            asked = {"query": '{app="many"}', "output": output, "direction": direction}
            whole = house.client.get("/api/v1/logs/query", params={**asked, "limit": 0})
            assert whole.headers["x-tailrace-complete"] == "true"
            assert whole.text.count("\n") == 7
            assert whole.content == house.client.get("/api/v1/logs/query", params={**asked, "limit": 100}).content


def test_all_of_nothing_is_empty(house: House) -> None:
    answer = house.client.get("/api/v1/logs/query", params={"query": '{app="none"}', "limit": 0})
    assert (answer.status_code, answer.content) == (200, b"")


def test_limit_zero_is_all_and_start_counts_but_end_does_not(house: House) -> None:
    house.store(*[(-number, f"{number}") for number in range(1, 301)], host="a")
    everything = house.client.get("/api/v1/logs/query", params=ASK | {"limit": 0, "output": "raw"})
    assert everything.text.count("\n") == 300
    bounds = {"start": str(NOW_NS - 5), "end": str(NOW_NS - 2), "output": "raw"}
    assert house.client.get("/api/v1/logs/query", params=ASK | bounds).text == "5\n4\n3\n"
    assert house.client.get("/api/v1/logs/query", params=ASK | {"output": "raw"}).text.count("\n") == 100


def test_a_metric_query_gives_values(filled: House) -> None:
    asked = {"query": 'sum(count_over_time({host="a"}[1h]))', "output": "jsonl"}
    [point] = filled.client.get("/api/v1/logs/query", params=asked).text.splitlines()
    assert json.loads(point)["value"] == "2"
    stepped = filled.client.get("/api/v1/logs/query", params=asked | {"step": "30m", "since": "1h", "output": "raw"})
    assert stepped.text == "2\n"


@pytest.mark.parametrize(
    ("change", "what", "column"),
    [
        ({"query": '{a="b"} | jso'}, "jso", 11),
        ({"query": ""}, "query is missing", None),
        ({"limit": "-1"}, "limit=-1", None),
        ({"limit": "ten"}, "limit='ten'", None),
        ({"output": "xml"}, "output='xml'", None),
        ({"direction": "up"}, "direction='up'", None),
        ({"start": "x"}, "start='x'", None),
        ({"step": "0", "query": 'rate({a="b"}[1m])'}, "step", None),
        ({"start": "5", "end": "4"}, "end lies before start", None),
        ({"query": '{a="' + "x" * 140_000 + '"}'}, "longer than", None),
    ],
)
def test_mistakes_are_json_with_their_place(
    house: House, change: dict[str, str], what: str, column: int | None
) -> None:
    answer = house.client.post("/api/v1/logs/query", data=ASK | change)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert what in error["what"]
    assert error["column"] == column
    assert set(error) == {"what", "line", "column", "hint"}


def test_a_form_that_is_too_large_is_413(house: House) -> None:
    answer = house.client.post("/api/v1/logs/query", data={"query": "x" * 1_100_000})
    assert answer.status_code == 413


def test_explain_tells_the_plan(filled: House) -> None:
    answer = filled.client.get("/api/v1/explain", params=ASK)
    assert answer.status_code == 200
    assert 'query: {host="a"}' in answer.text
