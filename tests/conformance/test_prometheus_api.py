"""Prometheus' HTTP API over metric queries: its axis, its times, its shapes and failures. Values worked out by hand."""

import pytest

from web.conftest import NOW_NS, House, S, house  # noqa: F401  the fixture

P = "/api/v1"
NOW_S = NOW_NS // S


@pytest.fixture
def filled(house: House) -> House:  # noqa: F811  pytest's way
    house.store((-120 * S, "x"), (-60 * S, "y"), app="cart")
    house.store((-30 * S, "z"), app="pay")
    return house


def get(house: House, path: str, **given: object):  # noqa: F811
    return house.client.get(f"{P}/{path}", params=given)


def test_the_health_check(house: House) -> None:  # noqa: F811
    for answer in (
        house.client.post(f"{P}/query", data={"query": "1+1", "time": "4"}),
        get(house, "query", query="1+1", time=4),
    ):
        assert answer.json() == {"status": "success", "data": {"resultType": "scalar", "result": [4, "2"]}}


def test_the_axis_begins_at_the_start_and_does_not_pass_the_end(filled: House) -> None:
    asked = {
        "query": 'sum(count_over_time({app="cart"}[1m]))',
        "start": NOW_S - 125,
        "end": f"{NOW_S - 6}.5",
        "step": "59",
    }
    [series] = get(filled, "query_range", **asked).json()["data"]["result"]
    # -125: (-185, -125] nothing; -66: (-126, -66] one; -7: (-67, -7] one; -6.5 is no point
    assert series == {"metric": {}, "values": [[NOW_S - 66, "1"], [NOW_S - 7, "1"]]}


def test_times_are_seconds_however_long(filled: House) -> None:
    ask = {"query": 'sum(count_over_time({app="cart"}[5m]))'}
    for spelling in (f"{NOW_S}", f"{NOW_S}.0", "2026-01-01T00:00:00Z"):
        [one] = get(filled, "query", **ask, time=spelling).json()["data"]["result"]
        assert one == {"metric": {}, "value": [NOW_S, "2"]}
    assert get(filled, "query", **ask, time=NOW_NS).status_code == 400  # the year 56 billion


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("query", {}),
        ("query", {"query": "{"}),
        ("query", {"query": '{app="a"}'}),
        ("query", {"query": "1", "time": "soon"}),
        ("query", {"query": "1", "timeout": "0"}),
        ("query_range", {"query": "1", "start": "1", "end": "2"}),
        ("query_range", {"query": "1", "start": "2", "end": "1", "step": "1"}),
        ("query_range", {"query": "1", "start": "1", "end": "2", "step": "0"}),
        ("query_range", {"query": "1", "start": "0", "end": "11000", "step": "1"}),
        ("series", {}),
        ("labels", {"match[]": "{"}),
        ("label/app/values", {"limit": "-1"}),
    ],
)
def test_a_mistake_is_bad_data(house: House, path: str, given: dict[str, str]) -> None:  # noqa: F811
    answer = get(house, path, **given)
    assert answer.status_code == 400
    body = answer.json()
    assert (body["status"], body["errorType"]) == ("error", "bad_data")
    assert body["error"]


def test_as_many_points_as_prometheus_allows(house: House) -> None:  # noqa: F811
    answer = get(house, "query_range", query="vector(1)", start=0, end=10_999, step=1)
    assert len(answer.json()["data"]["result"][0]["values"]) == 11_000


def test_lists_of_labels_reach_over_all_times(filled: House) -> None:
    filled.store((-400 * 86_400 * S, "old"), app="old", zone="z")
    assert get(filled, "labels").json() == {"status": "success", "data": ["app", "service_name", "zone"]}
    assert get(filled, "labels", **{"match[]": '{app="pay"}'}).json()["data"] == ["app", "service_name"]
    assert get(filled, "label/app/values").json()["data"] == ["cart", "old", "pay"]
    assert get(filled, "label/app/values", start=NOW_S - 3_600, limit=1).json()["data"] == ["cart"]
    assert get(filled, "label/__name__/values").json() == {"status": "success", "data": []}
    matched = get(filled, "series", **{"match[]": ['{app="pay"}', '{app="cart"}']}).json()["data"]
    assert matched == [{"app": "cart", "service_name": "app"}, {"app": "pay", "service_name": "app"}]
    assert filled.client.post(f"{P}/series", data={"match[]": '{app="pay"}'}).json()["data"] == matched[1:]


def test_state_is_wrapped(house: House) -> None:  # noqa: F811
    assert get(house, "metadata").json() == {"status": "success", "data": {}}
    info = get(house, "status/buildinfo").json()
    assert info["status"] == "success"
    assert set(info["data"]) == {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"}


def test_a_query_that_takes_too_long_is_a_timeout(house: House, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    from tailrace.errors import QueryTimeoutError
    from tailrace.web import work

    def slow(*_: object, **__: object) -> None:
        raise QueryTimeoutError("the query took longer than 60 s")

    monkeypatch.setattr(work, "run", slow)
    answer = get(house, "query", query="1")
    assert (answer.status_code, answer.json()["errorType"]) == (503, "timeout")
