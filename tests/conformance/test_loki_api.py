"""The read side of Loki's HTTP API over a real table: exact shapes, statuses, spellings, both forms of an entry.

Expected values are worked out by hand from the reference behaviour of Loki 3.7.
"""

import json

import pytest

from web.conftest import NOW_NS, House, S, house  # noqa: F401  the fixture

P = "/loki/api/v1"
NOW_S = NOW_NS // S
FLAG = {"X-Loki-Response-Encoding-Flags": "other, categorize-labels"}


@pytest.fixture
def filled(house: House) -> House:  # noqa: F811  pytest's way
    house.store((-120 * S, "GET /a 200"), (-60 * S, "GET /b 500"), app="cart", host="a1")
    house.store((-30 * S + 1, "paid"), level="warn", fields={"trace_id": "9f", "status": 500}, app="pay", host="a1")
    return house


def get(house: House, path: str, headers: dict[str, str] | None = None, **given: object):  # noqa: F811
    return house.client.get(f"{P}/{path}", params=given, headers=headers or {})


def entries(answer) -> list[list[object]]:
    return [value for stream in answer.json()["data"]["result"] for value in stream["values"]]


# --- log queries ----------------------------------------------------------------------------------


def test_an_entry_is_a_pair_and_a_stream_carries_every_label(filled: House) -> None:
    answer = get(filled, "query_range", query='{app="pay"}')
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    assert answer.headers["x-tailrace-complete"] == "true"
    body = answer.json()
    assert body["status"] == "success"
    assert body["data"]["resultType"] == "streams"
    assert "encodingFlags" not in body["data"]
    [stream] = body["data"]["result"]
    assert stream["stream"] == {"app": "pay", "host": "a1", "service_name": "app", "status": "500", "trace_id": "9f"}
    assert stream["values"] == [[str(NOW_NS - 30 * S + 1), "paid"]]


def test_with_the_flag_an_entry_is_a_triple_and_a_stream_carries_its_own_labels(filled: House) -> None:
    data = get(filled, "query_range", FLAG, query='{host="a1"}', direction="FORWARD").json()["data"]
    assert data["encodingFlags"] == ["categorize-labels"]
    cart, pay = data["result"]
    assert cart["stream"] == {"app": "cart", "host": "a1", "service_name": "app"}
    assert cart["values"] == [
        [str(NOW_NS - 120 * S), "GET /a 200", {}],
        [str(NOW_NS - 60 * S), "GET /b 500", {}],
    ]
    metadata = {"detected_level": "warn", "status": "500", "trace_id": "9f"}
    assert pay["values"] == [[str(NOW_NS - 30 * S + 1), "paid", {"structuredMetadata": metadata}]]


def test_parsed_labels_stand_apart_with_the_flag(filled: House) -> None:
    filled.store((-10 * S, "code=7 ok=yes"), app="logfmt")
    [stream] = get(filled, "query_range", FLAG, query='{app="logfmt"} | logfmt').json()["data"]["result"]
    assert stream["values"][0][2] == {"parsed": {"code": "7", "ok": "yes"}}


def test_stats_have_the_summary_that_clients_print(filled: House) -> None:
    summary = get(filled, "query_range", query='{host="a1"}').json()["data"]["stats"]["summary"]
    assert set(summary) >= {
        "bytesProcessedPerSecond",
        "linesProcessedPerSecond",
        "totalBytesProcessed",
        "totalLinesProcessed",
        "execTime",
        "queueTime",
        "totalEntriesReturned",
    }
    assert summary["totalEntriesReturned"] == 3


def test_start_counts_and_end_does_not_to_the_nanosecond(filled: House) -> None:
    at = NOW_NS - 60 * S
    ask = {"query": '{app="cart"}'}
    assert len(entries(get(filled, "query_range", **ask, start=at, end=at + 1))) == 1
    assert len(entries(get(filled, "query_range", **ask, start=at - 1, end=at))) == 0
    assert len(entries(get(filled, "query_range", **ask, start=at + 1, end=NOW_NS))) == 0


def test_limit_counts_over_all_streams_in_the_direction(filled: House) -> None:
    newest = entries(get(filled, "query_range", query='{host="a1"}', limit=2))
    assert {line for _, line in newest} == {"paid", "GET /b 500"}
    oldest = entries(get(filled, "query_range", query='{host="a1"}', limit=2, direction="forward"))
    assert [line for _, line in oldest] == ["GET /a 200", "GET /b 500"]


def test_the_default_range_is_the_last_hour_and_since_changes_it(filled: House) -> None:
    filled.store((-3_700 * S, "earlier"), app="cart", host="a1")
    assert len(entries(get(filled, "query_range", query='{app="cart"}'))) == 2
    assert len(entries(get(filled, "query_range", query='{app="cart"}', since="2h"))) == 3
    assert len(entries(get(filled, "query_range", query='{app="cart"}', since="90"))) == 1
    assert len(entries(get(filled, "query_range", query='{app="cart"}', end="2030-01-01T00:00:00Z"))) == 2


@pytest.mark.parametrize("start", [str(NOW_S - 61), f"{NOW_NS - 61 * S}", f"{NOW_S - 61}.000", "2025-12-31T23:58:59Z"])
def test_times_in_every_spelling(filled: House, start: str) -> None:
    assert [line for _, line in entries(get(filled, "query_range", query='{app="cart"}', start=start))] == [
        "GET /b 500"
    ]


def test_a_form_is_as_good_as_an_address_and_both_merge(filled: House) -> None:
    answer = filled.client.post(f"{P}/query_range?limit=1", data={"query": '{host="a1"}', "unknown": "x"})
    assert len(entries(answer)) == 1


@pytest.mark.parametrize("direction", ["backward", "forward"])
def test_an_interval_leaves_out_what_is_closer(house: House, direction: str) -> None:  # noqa: F811
    house.store(*[(-at * S, f"{at}") for at in range(30)], app="a")
    house.store((-S // 2, "between"), app="b")
    ask = {"query": '{app=~"a|b"}', "interval": "10s", "direction": direction, "end": NOW_NS + 1}
    newest, oldest = ["0", "10", "20"], ["29", "19", "9"]
    found = [line for _, line in entries(get(house, "query_range", **ask))]
    assert found == (newest if direction == "backward" else oldest)
    assert [line for _, line in entries(get(house, "query_range", **ask, limit=2))] == found[:2]
    assert len(entries(get(house, "query_range", **(ask | {"interval": "0"}), limit=1000))) == 31


def test_nothing_found_is_an_empty_success(filled: House) -> None:
    body = get(filled, "query_range", query='{app="none"}').json()
    assert (body["status"], body["data"]["result"]) == ("success", [])


# --- metric queries -------------------------------------------------------------------------------


def test_the_health_check_of_grafana(house: House) -> None:  # noqa: F811
    answer = get(house, "query", query="vector(1)+vector(1)", time="4000000000")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["resultType"] == "vector"
    assert data["result"] == [{"metric": {}, "value": [4_000_000_000, "2"]}]


def test_an_instant_query_gives_a_vector_sorted_by_labels(filled: House) -> None:
    data = get(filled, "query", query='sum by (app) (count_over_time({host="a1"}[5m]))', time=f"{NOW_S}.25").json()[
        "data"
    ]
    assert data["resultType"] == "vector"
    assert data["result"] == [
        {"metric": {"app": "cart"}, "value": [NOW_S + 0.25, "2"]},
        {"metric": {"app": "pay"}, "value": [NOW_S + 0.25, "1"]},
    ]


def test_the_axis_is_rounded_to_the_step(filled: House) -> None:
    asked = {"query": 'count_over_time({app="cart"}[1m])', "start": NOW_S - 125, "end": NOW_S - 55}
    data = get(filled, "query_range", **asked, step="60").json()["data"]
    assert data["resultType"] == "matrix"
    # windows are (T - 1m, T]: the lines at -120 s and -60 s count at their own times, one step apart
    assert data["result"] == [
        {
            "metric": {"app": "cart", "host": "a1", "service_name": "app"},
            "values": [[NOW_S - 120, "1"], [NOW_S - 60, "1"]],
        }
    ]


@pytest.mark.parametrize("step", ["60", "60000ms", "1m", "60.0", "1m0s"])
def test_steps_in_every_spelling(filled: House, step: str) -> None:
    asked = {"query": 'sum(count_over_time({app="cart"}[1m]))', "start": NOW_S - 180, "end": NOW_S, "step": step}
    [series] = get(filled, "query_range", **asked).json()["data"]["result"]
    assert [time for time, _ in series["values"]] == [NOW_S - 120, NOW_S - 60]


def test_the_default_step_is_a_250th_of_the_range(filled: House) -> None:
    asked = {"query": "vector(1)", "start": NOW_S - 5_000, "end": NOW_S}
    [series] = get(filled, "query_range", **asked).json()["data"]["result"]
    assert series["metric"] == {}
    assert series["values"][1][0] - series["values"][0][0] == 20


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "query is missing"),
        ({"query": "{"}, "line 1, col"),
        ({"query": '{app="a"} | jso'}, "did you mean 'json'?"),
        ({"query": "{}"}, ""),
        ({"query": '{a="b"}', "limit": "0"}, "limit=0"),
        ({"query": '{a="b"}', "limit": "5001"}, "limit=5001"),
        ({"query": '{a="b"}', "limit": "x"}, "limit='x'"),
        ({"query": '{a="b"}', "direction": "sideways"}, "direction"),
        ({"query": '{a="b"}', "start": "10", "end": "5"}, "end lies before start"),
        ({"query": '{a="b"}', "start": "tomorrow"}, "start='tomorrow'"),
        ({"query": '{a="b"}', "since": "1.5s"}, "since='1.5s'"),
        ({"query": '{a="b"}', "interval": "-5"}, "interval"),
        ({"query": '{a="b"}', "interval": "x"}, "interval='x'"),
        ({"query": "vector(1)", "step": "0"}, "step"),
        ({"query": "vector(1)", "step": "-5"}, "step"),
        ({"query": "vector(1)", "step": "1ms"}, "points"),
    ],
)
def test_a_mistake_is_400_in_one_line_of_text(house: House, given: dict[str, str], says: str) -> None:  # noqa: F811
    answer = get(house, "query_range", **given)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert says in answer.text
    assert "\n" not in answer.text


def test_a_log_query_is_no_instant_query(house: House) -> None:  # noqa: F811
    assert get(house, "query", query='{a="b"}').status_code == 400


def test_a_query_that_takes_too_long_is_504(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tailrace.errors import QueryTimeoutError
    from tailrace.web import loki_api

    def slow(*_: object) -> None:
        raise QueryTimeoutError("the query took longer than 60 s")

    monkeypatch.setattr(loki_api, "run", slow)
    assert get(filled, "query_range", query='{a="b"}').status_code == 504


def test_a_bug_is_500_without_its_insides(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tailrace.web import loki_api

    def broken(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(loki_api, "run", broken)
    answer = get(filled, "query_range", query='{a="b"}')
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


# --- metadata -------------------------------------------------------------------------------------


def test_labels_values_and_series(filled: House) -> None:
    assert get(filled, "labels").json() == {"status": "success", "data": ["app", "host", "service_name"]}
    assert get(filled, "label").json() == get(filled, "labels").json()
    assert get(filled, "label/app/values").json() == {"status": "success", "data": ["cart", "pay"]}
    assert get(filled, "label/app/values", query='{app=~"p.+"}').json()["data"] == ["pay"]
    assert get(filled, "label/none/values").json() == {"status": "success", "data": []}
    cart, pay = ({"app": app, "host": "a1", "service_name": "app"} for app in ("cart", "pay"))
    assert get(filled, "series").json() == {"status": "success", "data": [cart, pay]}
    assert get(filled, "series", **{"match[]": '{app="cart"}'}).json()["data"] == [cart]
    assert get(filled, "series", match=['{app="cart"}', '{app="pay"}']).json()["data"] == [cart, pay]
    assert get(filled, "series", match="{}").json()["data"] == [cart, pay]
    assert filled.client.post(f"{P}/series", data={"match[]": '{app="pay"}'}).json()["data"] == [pay]
    assert get(filled, "series", match="{").status_code == 400


def test_label_lists_reach_back_six_hours(house: House) -> None:  # noqa: F811
    house.store((-5 * 3_600 * S, "x"), app="five")
    house.store((-7 * 3_600 * S, "x"), app="seven")
    assert get(house, "label/app/values").json()["data"] == ["five"]


def test_bare_replies(filled: House) -> None:
    info = get(filled, "status/buildinfo").json()
    assert info["version"] == "3.7.0"
    assert set(info) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}
    stats = get(filled, "index/stats", query='{app="cart"}').json()
    assert stats == {"streams": 1, "chunks": 1, "entries": 2, "bytes": 20}


def test_a_query_is_printed_in_its_canonical_form(house: House) -> None:  # noqa: F811
    assert get(house, "format_query", query='{a="b"}|json').json() == {"status": "success", "data": '{a="b"} | json'}
    wrong = get(house, "format_query", query="{")
    assert wrong.status_code == 400
    assert wrong.json()["status"] == "invalid-query"
    assert "\n" not in wrong.json()["error"]


def test_detected_level_and_metadata_work_without_a_parser_right_after_ingest(house: House) -> None:  # noqa: F811
    values = [[str(NOW_NS - 5), "an ERROR", {"trace_id": "9f"}], [str(NOW_NS - 4), "fine", {"trace_id": "8e"}]]
    body = {"streams": [{"stream": {"app": "cart"}, "values": values}]}
    assert house.client.post(f"{P}/push", json=body).status_code == 204
    for query in ('{service_name="cart"} | detected_level="error"', '{app="cart"} | trace_id="9f"'):
        assert [line for _, line in entries(get(house, "query_range", query=query))] == ["an ERROR"]
    by_level = get(house, "query", query='sum by (detected_level) (count_over_time({app="cart"}[1m]))').json()
    assert {"metric": {"detected_level": "error"}, "value": [NOW_S, "1"]} in by_level["data"]["result"]


def test_any_text_survives_the_way_in_and_out(house: House) -> None:  # noqa: F811
    line = 'quote " backslash \\ tab \t newline \n nul \x00 emoji 😀 rtl \u202e <&>'
    body = {"streams": [{"stream": {"app": 'we"ird\\'}, "values": [[str(NOW_NS - 1), line]]}]}
    assert (
        house.client.post(
            f"{P}/push", content=json.dumps(body), headers={"content-type": "application/json"}
        ).status_code
        == 204
    )
    [stream] = get(house, "query_range", query=r'{app="we\"ird\\"}').json()["data"]["result"]
    assert stream["values"] == [[str(NOW_NS - 1), line]]
    assert stream["stream"]["app"] == 'we"ird\\'
