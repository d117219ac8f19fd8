"""Whole conversations of known clients with a live server: logcli, Grafana's data source, Logs Drilldown."""

import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import pytest

from conformance.logcli import Logcli, RefusedError
from tailrace import limits
from web.conftest import NOW_NS, House, S, house  # noqa: F401  the fixture

P = "/loki/api/v1"
NOW_S = NOW_NS // S
FLAG = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
GRAFANA = {"User-Agent": "Grafana/11.5.0", **FLAG}
DRILLDOWN = GRAFANA | {"X-Query-Tags": "Source=grafana-lokiexplore-app"}
DAY_S = 86_400


@pytest.fixture
def logcli(house: House) -> Logcli:  # noqa: F811  pytest's way
    return Logcli(house.client)


# --- logcli ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("batch", [5, 7, 1000])
def test_batches_meet_without_gap_or_repeat(house: House, logcli: Logcli, batch: int, *, forward: bool) -> None:  # noqa: F811
    house.store(*[(-(at // 3) * S, f"a{at:02}") for at in range(30)], app="a")  # three lines share each time
    house.store(*[(-at * S, f"b{at:02}") for at in range(10)], app="b")
    found = logcli.query('{app=~"a|b"}', NOW_NS - 60 * S, NOW_NS + S, limit=100, batch=batch, forward=forward)
    assert len(found) == 40
    assert {line for _, line, _ in found} == {f"a{at:02}" for at in range(30)} | {f"b{at:02}" for at in range(10)}
    times = [at for at, _, _ in found]
    assert times == sorted(times, reverse=not forward)
    few = logcli.query('{app=~"a|b"}', NOW_NS - 60 * S, NOW_NS + S, limit=9, batch=batch, forward=forward)
    assert [at for at, _, _ in few] == times[:9]


def test_more_equal_times_than_a_batch_is_fatal_for_it_and_said(house: House, logcli: Logcli) -> None:  # noqa: F811
    house.store(*[(-S, f"{at}") for at in range(9)], app="a")
    with pytest.raises(RefusedError, match="same time"):
        logcli.query('{app="a"}', NOW_NS - 60 * S, NOW_NS, limit=100, batch=5)


def test_lists_stats_volume_and_fields(house: House, logcli: Logcli) -> None:  # noqa: F811
    house.store((-2 * S, "n=1"), (-S, "n=2"), app="cart", host="a1")
    span = (NOW_NS - 3_600 * S, NOW_NS)
    assert logcli.labels(*span) == ["app", "host", "service_name"]
    assert logcli.label("app", *span) == ["cart"]
    assert logcli.series('{app="cart"}', *span) == [{"app": "cart", "host": "a1", "service_name": "app"}]
    assert logcli.stats('{app="cart"}', *span) == {"streams": 1, "chunks": 1, "entries": 2, "bytes": 6}
    assert logcli.volume('{app="cart"}', *span) == [({"app": "cart"}, 6)]
    assert [one["label"] for one in logcli.detected_fields('{app="cart"}', *span)] == ["n"]
    assert logcli.instant('count_over_time({app="cart"}[1m])', NOW_NS)[0][2] == "2"
    points = logcli.matrix('sum(count_over_time({app="cart"}[1m]))', NOW_NS - 60 * S, NOW_NS, 14.0)
    assert list(points) == ["{}"]
    with pytest.raises(RefusedError, match=r"parse error at line 1, col 16: .*\(400\)"):
        logcli.query('{app="cart"} | jsno', *span, limit=1, batch=1)


def test_follow_shows_history_then_what_comes(house: House, logcli: Logcli) -> None:  # noqa: F811
    house.store(*[(-10 * S + at, f"old{at}") for at in range(5)], app="a")
    lines = logcli.tail('{app="a"}', start_ns=NOW_NS - 60 * S, limit=3)
    assert [next(lines)[1] for _ in range(3)] == ["old2", "old3", "old4"]
    house.store((0, "new"), app="a", fields={"trace_id": "9f"})
    assert next(lines) == (NOW_NS, "new", {"app": "a", "service_name": "app"})
    lines.close()


@contextmanager
def breaking_link(port: int) -> Iterator[tuple[int, list[socket.socket]]]:
    """Pass connections on to a server; yields a port, and the connections, to be cut."""
    listener = socket.create_server(("127.0.0.1", 0))
    links: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", port))
                links.extend((near, far))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=(one, other), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1], links
    finally:
        for link in links:
            link.close()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_follow_goes_on_after_a_broken_connection_and_misses_nothing(house: House) -> None:  # noqa: F811
    port = house.client.base_url.port
    assert port is not None
    with breaking_link(port) as (near, links), httpx.Client(base_url=f"http://127.0.0.1:{near}") as http:
        lines = Logcli(http).tail('{app="a"}', start_ns=NOW_NS - 60 * S)
        house.store((-9 * S, "one"), app="a")
        seen = [next(lines)[1]]
        for link in list(links):
            with suppress(OSError):  # the links of requests that are over are down already
                link.shutdown(socket.SHUT_RDWR)
        house.store((-8 * S, "while it was down"), app="a")
        while seen[-1] != "while it was down":
            seen.append(next(lines)[1])
        assert set(seen) == {"one", "while it was down"}  # a repeat at the seam is normal
        lines.close()


# --- Grafana --------------------------------------------------------------------------------------


def test_the_health_check_and_the_features_that_follow_from_the_version(house: House) -> None:  # noqa: F811
    asked = {"query": "vector(1)+vector(1)", "time": "4000000000", "direction": "backward"}
    data = house.client.get(f"{P}/query", params=asked, headers=GRAFANA).json()["data"]
    assert data["resultType"] == "vector"
    assert [(one["metric"], one["value"][1]) for one in data["result"]] == [({}, "2")]
    assert int(house.client.get(f"{P}/status/buildinfo", headers=GRAFANA).json()["version"].split(".")[0]) >= 3


def test_explore_asks_for_lines_and_a_histogram(house: House) -> None:  # noqa: F811
    house.store((-2 * S, "one"), app="a", level="info", fields={"trace_id": "9f"})
    span = {"start": NOW_NS - 3_600 * S, "end": NOW_NS}
    asked = {"query": '{app="a"}', **span, "step": "2000ms", "direction": "backward", "limit": 1000}
    data = house.client.get(f"{P}/query_range", params=asked, headers=GRAFANA).json()["data"]
    assert data["encodingFlags"] == ["categorize-labels"]
    [[_, line, third]] = data["result"][0]["values"]
    assert (line, third["structuredMetadata"]["trace_id"]) == ("one", "9f")
    volume = 'sum by (level, detected_level) (count_over_time({app="a"} | drop __error__[2s]))'
    answer = house.client.get(
        f"{P}/query_range",
        params={"query": volume, **span, "step": "2000ms"},
        headers=GRAFANA | {"X-Query-Tags": "Source=logvolhist"},
    )
    data = answer.json()["data"]
    assert data["resultType"] == "matrix"
    assert data["result"][0]["metric"] == {"detected_level": "info"}
    stats = data["stats"]["summary"]
    assert isinstance(stats["execTime"], float)
    assert isinstance(stats["queueTime"], float)


def grafana_chunks(start_ns: int, end_ns: int, step_ms: int) -> list[tuple[int, int]]:
    """Cut a range into days as the data source does: newest first, the oldest may be shorter than a step."""
    day, chunks, end = DAY_S * S, [], end_ns
    while end > start_ns:
        begin = max(start_ns, end - day + step_ms * 1_000_000)
        chunks.append((begin, end))
        end = begin - step_ms * 1_000_000
    return chunks


@pytest.mark.parametrize("hours", [24, 25, 48, 168])
def test_charts_of_days_have_no_spikes_where_their_pieces_meet(house: House, hours: int) -> None:  # noqa: F811
    draw = random.Random(hours)
    span_s = hours * 3_600
    times = sorted(draw.randrange(span_s * S) for _ in range(400))
    house.store(*[(at - span_s * S, "x") for at in times], app="a")
    start_ns, end_ns = NOW_NS - span_s * S + 123_000_000, NOW_NS - 77_000_000
    step_ms = 600_000
    query = 'sum(count_over_time({app="a"}[10m]))'

    def ask(start: int, end: int) -> list[list[object]]:
        asked = {"query": query, "start": start, "end": end, "step": f"{step_ms}ms"}
        result = house.client.get(f"{P}/query_range", params=asked, headers=GRAFANA).json()["data"]["result"]
        return result[0]["values"] if result else []

    merged: dict[object, object] = {}
    for start, end in grafana_chunks(start_ns, end_ns, step_ms):
        for at, value in ask(start, end):
            assert merged.setdefault(at, value) == value  # a time that is asked twice says the same
    assert sorted(merged.items()) == [tuple(point) for point in ask(start_ns, end_ns)]


def test_a_page_in_the_past_ends_where_the_next_begins(house: House) -> None:  # noqa: F811
    house.store(*[(-at * S, f"{at}") for at in range(20)], app="a")
    seen: list[str] = []
    end = NOW_NS + S
    while True:
        asked = {"query": '{app="a"}', "start": NOW_NS - 60 * S, "end": end, "limit": 6, "direction": "backward"}
        result = house.client.get(f"{P}/query_range", params=asked, headers=GRAFANA).json()["data"]["result"]
        values = [value for stream in result for value in stream["values"]]
        if not values:
            break
        seen += [line for _, line, _ in values]
        end = int(values[-1][0])
    assert seen == [str(at) for at in range(20)]


# --- Drilldown ------------------------------------------------------------------------------------


def test_the_start_page_lists_services_by_volume(house: House) -> None:  # noqa: F811
    house.store((-S, "long line"), app="a", service_name="big")
    house.store((-S, "x"), app="a", service_name="small")
    asked = {"query": '{service_name=~".+"}', "start": NOW_NS - 3_600 * S, "end": NOW_NS, "limit": 5000}
    data = house.client.get(f"{P}/index/volume", params=asked, headers=DRILLDOWN).json()["data"]
    assert [(one["metric"]["service_name"], one["value"][1]) for one in data["result"]] == [
        ("big", "9"),
        ("small", "1"),
    ]


def test_the_tabs_of_a_service(house: House) -> None:  # noqa: F811
    house.store((-S, '{"a":{"b":1}}'), app="a", fields={"trace_id": "9f"})
    span = {"start": "2025-12-31T23:00:00.000Z", "end": "2026-01-01T00:00:00.000Z"}
    ask = {"params": {"query": '{service_name="app"}', **span}, "headers": DRILLDOWN}
    for path, key in (("detected_labels", "detectedLabels"), ("detected_fields", "fields"), ("patterns", "data")):
        answer = house.client.get(f"{P}/{path}", **ask)
        assert answer.status_code == 200, path
        assert answer.json()[key]
    fields = {one["label"]: one for one in house.client.get(f"{P}/detected_fields", **ask).json()["fields"]}
    assert fields["trace_id"]["parsers"] is None
    assert house.client.get(f"{P}/drilldown-limits", headers=DRILLDOWN).json()["pattern_ingester_enabled"] is True


def test_too_many_series_are_cut_to_the_largest_for_drilldown_and_refused_for_others(
    house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tailrace.query import series

    monkeypatch.setattr(series, "SERIES_LIMIT", 3)
    for user in range(5):
        house.store(*[(-at * 60 * S, "x") for at in range(user + 1)], app="a", fields={"user": f"u{user}"})
    query = (
        'sum by (user) (count_over_time({app="a"} | json | logfmt | drop __error__, __error_details__ | user!="" [1m]))'
    )
    asked = {"query": query, "start": NOW_NS - 600 * S, "end": NOW_NS, "step": "60000ms"}
    refused = house.client.get(f"{P}/query_range", params=asked, headers=GRAFANA)
    assert refused.status_code == 400
    assert "3" in refused.text
    shown = house.client.get(f"{P}/query_range", params=asked, headers=DRILLDOWN)
    body = shown.json()
    assert [(one["metric"]["user"], len(one["values"])) for one in body["data"]["result"]] == [
        ("u2", 3),
        ("u3", 4),
        ("u4", 5),
    ]
    assert body["warnings"] == ["too many series: of 5 the 3 largest are shown"]
    assert shown.headers["x-tailrace-complete"] == "false"
    assert body["data"]["stats"]["tailrace"]["complete"] is False


def test_a_field_of_more_values_than_may_be_held_still_has_its_largest(
    house: House,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tailrace.query import leaf, series

    monkeypatch.setattr(series, "SERIES_LIMIT", 2)
    monkeypatch.setattr(leaf, "LABEL_SETS", 3)
    monkeypatch.setattr(leaf, "MERGE_ROWS", 3)
    monkeypatch.setattr(leaf, "RANKED_SETS", 6)
    for user in range(6):  # u5 has all its lines at one time; u0 has as many as u1
        house.store(
            *[(-(at + 1 if user < 5 else 3) * 60 * S, f"{at}") for at in range(user or 1)], app="a", user=f"u{user}"
        )
    query = 'sum by (user) (count_over_time({app="a"}[2m]))'
    asked = {"query": query, "start": NOW_NS - 600 * S, "end": NOW_NS, "step": "60s"}
    refused = house.client.get(f"{P}/query_range", params=asked, headers=GRAFANA)
    assert (refused.status_code, "more than 3 series" in refused.text) == (400, True)
    body = house.client.get(f"{P}/query_range", params=asked, headers=DRILLDOWN).json()
    assert body["warnings"] == ["too many series: of 6 the 2 largest are shown"]
    assert [(one["metric"]["user"], [value for _, value in one["values"]]) for one in body["data"]["result"]] == [
        ("u4", ["1", "2", "2", "2", "1"]),
        ("u5", ["5", "5"]),
    ]
    house.store((-60 * S, "x"), app="a", user="one too many")
    assert house.client.get(f"{P}/query_range", params=asked, headers=DRILLDOWN).status_code == 400


# --- nothing is ever an empty success that is none --------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"query": '{a="b"}', "limit": limits.ENTRIES_LIMIT + 1},
        {"query": '{a="b"}', "limit": 0},
        {"query": "vector(1)", "start": 0, "end": 100_000, "step": 1},
        {"query": '{a="b"}', "start": 10, "end": 9},
        {"query": "x" * (limits.QUERY_BYTES + 1)},
    ],
)
def test_every_limit_is_answered_with_4xx(house: House, asked: dict[str, object]) -> None:  # noqa: F811
    answer = house.client.post(f"{P}/query_range", data=asked)
    assert answer.status_code == 400
    assert answer.text
    assert "\n" not in answer.text


def test_a_tenant_is_welcome_and_needed_by_nothing(house: House) -> None:  # noqa: F811
    house.store((-S, "x"), app="a")
    for tenant in ({}, {"X-Scope-OrgID": "one"}, {"X-Scope-OrgID": "one|two"}):
        answer: httpx.Response = house.client.get(f"{P}/labels", headers=tenant)
        assert json.loads(answer.text)["data"] == ["app", "service_name"]
