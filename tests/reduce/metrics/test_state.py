"""Metrics from logs: values worked out by hand from a few rows each."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from reduce.metrics.rows import SECOND, rows
from tailrace.exposition import Histogram
from tailrace.reduce.metrics.settings import MetricSettings, SessionSettings
from tailrace.reduce.metrics.state import Metrics

NOW = 200 * SECOND


def metric(name: str, kind: str = "counter", **settings: Any) -> MetricSettings:
    """Return the settings of a metric, with a help text."""
    return MetricSettings.model_validate({"name": name, "type": kind, "help": "A test.", **settings})


def shown(metrics: Metrics, name: str = "") -> dict[Any, Any]:
    """Publish, and return the points of a metric by the values of their labels."""
    metrics.edition()()
    families = {family.name: family for family in metrics.families()}
    family = families[name] if name else next(iter(families.values()))
    return {",".join(point.labels[key] for key in sorted(point.labels)): point.value for point in family.points}


def test_counts_lines_by_label() -> None:
    metrics = Metrics([metric("http_errors_total", where="status >= 500", labels={"host": "host", "m": "lower(verb)"})])
    metrics.observe(
        rows(
            {"status": 500, "verb": "GET"},
            {"status": 200, "verb": "GET"},
            {"status": 503, "verb": "Get"},
            {"status": 500},
        ),
        NOW,
    )
    assert shown(metrics) == {"a,get": 2, "a": 1}


def test_labels_of_fields_whose_names_are_like_our_own_and_of_many_streams() -> None:
    labels = {"n": "n", "value": "value", "o": "o_max", "host": "host"}
    metrics = Metrics([metric("x_total", labels=labels), metric("y_total", labels={"gone": "nowhere"}, max_series=1)])
    frame = rows({"n": 1, "value": "a", "o_max": 2.0}, {"n": 1, "value": "a", "o_max": 2.0}, {"n": None, "value": "b"})
    other = rows({"n": 1, "value": "a", "o_max": 2.0}, {"n": 1, "value": "a"}, stream='{host="b"}')
    metrics.observe(pl.concat([frame, other], how="diagonal"), NOW)
    # In the order of the labels' names: host, n, o, value.
    assert shown(metrics, "x_total") == {"a,1,2,a": 2, "a,b": 1, "b,1,2,a": 1, "b,1,a": 1}
    assert shown(metrics, "y_total") == {"": 5}


def test_rows_beyond_the_limit_are_refused_one_by_one() -> None:
    metrics = Metrics([metric("x_total", labels={"who": "who"}, max_series=2)])
    metrics.observe(rows(*({"who": who} for who in "aabbccd")), NOW)
    assert shown(metrics, "x_total") == {"a": 2, "b": 2, "__other__": 3}
    assert metrics.mark()["refused x_total"] == {"series": 3}


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    metrics = Metrics([metric("errors_total", where="status >= 500")])
    metrics.flush(NOW)
    assert shown(metrics) == {"": 0}


def test_sums_bytes_of_input_and_of_fields() -> None:
    metrics = Metrics(
        [metric("in_bytes_total", **{"from": "bytes"}), metric("out_bytes_total", **{"from": "field(sent + received)"})]
    )
    frame = rows(
        {"sent": 9007199254740993, "received": 2, "_line": "åb"},
        {"sent": None, "received": 5, "_line": "line 1"},
        {"sent": 1, "received": 3, "_line": "line 2"},
    )
    metrics.observe(frame, NOW)
    assert shown(metrics, "in_bytes_total") == {"": 4 + 7 + 7}  # "åb" is three bytes, with its newline four
    assert shown(metrics, "out_bytes_total") == {"": 9007199254740999}
    metrics.observe(frame.with_columns(_in_bytes=pl.lit(100)), NOW)
    assert shown(metrics, "in_bytes_total") == {"": 18 + 300}


def test_refuses_values_that_are_no_count() -> None:
    metrics = Metrics([metric("x_total", **{"from": "field(x)"}), metric("g", "gauge", **{"from": "field(x)"})])
    metrics.observe(rows({"x": -1.0}, {"x": float("inf")}, {"x": 2.5}, {"x": None}, {"x": -3.0}), NOW)
    assert shown(metrics, "x_total") == {"": 2.5}
    assert shown(metrics, "g") == {"": -3.0}
    assert shown(metrics, "tailrace_metric_refused_rows_total") == {"x_total,value": 3, "g,value": 1}


def test_a_counter_of_rises_takes_a_fall_for_a_restart() -> None:
    metrics = Metrics(
        [
            metric("work_total", **{"from": "delta(done)"}, labels={"w": "w"}),
            metric("step", "gauge", **{"from": "delta(done)"}),
        ]
    )
    metrics.observe(rows({"w": "a", "done": 10}, {"w": "b", "done": 1000}, {"w": "a", "done": 14}), NOW)
    assert shown(metrics, "work_total") == {"a": 4, "b": 0}
    metrics.observe(rows({"w": "a", "done": 15}, {"w": "b", "done": 7}, {"w": "a", "done": 15}), NOW)
    assert shown(metrics, "work_total") == {"a": 5, "b": 7}
    assert shown(metrics, "step") == {"": 8}


def test_a_histogram_has_its_bounds_inside() -> None:
    metrics = Metrics(
        [metric("took_seconds", "histogram", **{"from": "field(s)"}, unit="seconds", buckets=[0.1, 1, 10])]
    )
    metrics.observe(rows(*({"s": s} for s in (0.1, 0.05, 0.2, 1.0, 10.0, 11.0))), NOW)
    value = shown(metrics)[""]
    assert isinstance(value, Histogram)
    assert (value.count, list(value.counts), value.native) == (6, [2, 2, 1, 1], None)
    assert value.sum == pytest.approx(22.35)


def test_native_buckets_end_at_powers_of_two() -> None:
    metrics = Metrics([metric("took_seconds", "histogram", **{"from": "field(s)"}, native=True)])
    metrics.observe(rows(*({"s": s} for s in (1.0, 2.0, 8.0, 0.125, 0.0, -1.0, 1.0000001, 3.0))), NOW)
    native = shown(metrics)[""].native
    # bucket i ends at 2**(i/8): 1 -> 0, 2 -> 8, 8 -> 24, 1/8 -> -24; just above 1 -> 1; 3 = 2**1.585 -> 13
    assert native.positive == {0: 1, 8: 1, 24: 1, -24: 1, 1: 1, 13: 1}
    assert (native.schema, native.zero_count, native.negative) == (3, 1, {0: 1})


def test_native_buckets_become_coarser_when_there_are_too_many() -> None:
    metrics = Metrics([metric("took_seconds", "histogram", **{"from": "field(s)"}, native=True)])
    metrics.observe(rows(*({"s": 2.0 ** (i / 8)} for i in range(200))), NOW)
    native = shown(metrics)[""].native
    assert native.schema == 2  # 200 buckets of an eighth of a power are 101 of a quarter
    assert native.positive == {0: 1, **dict.fromkeys(range(1, 100), 2), 100: 1}


def test_series_beyond_the_limit_are_counted_together() -> None:
    metrics = Metrics(
        [
            metric("hits_total", labels={"user": "user", "h": "host"}, max_series=2),
            metric("age", "gauge", **{"from": "field(n)"}, labels={"user": "user"}, max_series=2),
        ]
    )
    metrics.observe(rows(*({"user": user, "n": 1} for user in "abcadb")), NOW)
    assert shown(metrics, "hits_total") == {"a,a": 2, "a,b": 2, "__other__,__other__": 2}
    metrics.observe(rows(*({"user": user, "n": 2} for user in "dae")), NOW)
    assert shown(metrics, "hits_total") == {"a,a": 3, "a,b": 2, "__other__,__other__": 4}
    assert shown(metrics, "age") == {"a": 2, "b": 1}
    assert shown(metrics, "tailrace_metric_refused_rows_total") == {"hits_total,series": 4, "age,series": 4}


def test_a_million_distinct_keys_stay_within_the_limit() -> None:
    metrics = Metrics([metric("hits_total", labels={"user": "user"}, max_series=100)])
    frame = (
        rows({"user": "x"}).drop("user").join(pl.DataFrame({"user": pl.int_range(1_000_000, eager=True)}), how="cross")
    )
    metrics.observe(frame, NOW)
    values = shown(metrics)
    assert len(values) == 101
    assert values["__other__"] == 999_900


def test_silent_series_are_forgotten_and_begin_again() -> None:
    metrics = Metrics([metric("hits_total", labels={"user": "user"}, ttl="10s")])
    metrics.observe(rows({"user": "a", "o": 100}, {"user": "b", "o": 105}), 105 * SECOND)
    metrics.flush(111 * SECOND)
    assert shown(metrics) == {"b": 1}
    metrics.observe(rows({"user": "b", "o": 116}), 116 * SECOND)  # 11 s later, though nobody looked in between
    assert shown(metrics) == {"b": 1}
    assert metrics.mark()['series hits_total {"user": "a"}'] is None


def test_an_exemplar_leads_to_the_newest_line() -> None:
    metrics = Metrics(
        [
            metric("hits_total", exemplar={"trace_id": "trace"}),
            metric("s", "histogram", **{"from": "field(n)"}, buckets=[1], exemplar={"trace_id": "trace"}),
        ]
    )
    metrics.observe(rows({"trace": "t1", "n": 1}, {"trace": "t2", "n": 5, "t": 7}), NOW)
    metrics.edition()()
    counter, histogram = metrics.families()
    assert counter.points[0].exemplar is not None
    assert (counter.points[0].exemplar.labels, counter.points[0].exemplar.time_ns) == ({"trace_id": "t2"}, 7 * SECOND)
    assert isinstance(histogram.points[0].value, Histogram)
    assert {i: dict(e.labels) for i, e in (histogram.points[0].value.exemplars or {}).items()} == {
        0: {"trace_id": "t1"},
        1: {"trace_id": "t2"},
    }


def test_the_time_between_two_lines() -> None:
    settings = metric(
        "job_seconds",
        "histogram",
        **{"from": "duration(event = 'begin', event = 'done', job)"},
        labels={"q": "queue"},
        buckets=[1, 10],
        timeout="1h",
    )
    metrics = Metrics([settings])
    metrics.observe(
        rows(
            {"event": "begin", "job": 1, "queue": "x", "t": 100},
            {"event": "begin", "job": 2, "queue": "x", "t": 101},
            {"event": "done", "job": 1, "t": 102.5},
        ),
        NOW,
    )
    metrics.observe(rows({"event": "done", "job": 2, "t": 111.5}, {"event": "done", "job": 3, "t": 111.5}), NOW)
    value = shown(metrics)["x"]
    assert (value.count, value.sum, list(value.counts)) == (2, 13.0, [0, 1, 1])  # 2.5 s and 10.5 s
    assert list(shown(metrics)) == ["x"]  # the end of job 3, which nobody saw begin, measures nothing


def test_values_are_shown_when_they_are_published() -> None:
    metrics = Metrics([metric("hits_total")])
    metrics.observe(rows({}), NOW)
    first = metrics.edition()
    metrics.observe(rows({}), NOW)
    second = metrics.edition()
    assert [point.value for family in metrics.families() for point in family.points] == []
    first()
    assert [point.value for family in metrics.families() for point in family.points] == [1]
    second()
    assert [point.value for family in metrics.families() for point in family.points] == [2]


def test_a_label_may_be_chosen_by_conditions() -> None:
    family = {"when": {"ipv6": "ip like '%:%'", "ipv4": "ip like '%.%'"}, "otherwise": "coalesce(ip, 'unknown')"}
    metrics = Metrics([metric("connects_total", labels={"family": family})])
    metrics.observe(rows({"ip": "::1"}, {"ip": "10.0.0.1"}, {"ip": None}, {"ip": "::2"}, {"ip": "host"}), NOW)
    assert shown(metrics) == {"ipv6": 2, "ipv4": 1, "unknown": 1, "host": 1}


def test_a_single_gauge_keeps_its_newest_series() -> None:
    metrics = Metrics([metric("app_info", "gauge", **{"from": "field(1)"}, labels={"v": "v"}, single=True)])
    metrics.observe(rows({"v": "1.0"}, {"v": "1.1"}), NOW)
    assert shown(metrics) == {"1.1": 1}
    metrics.observe(rows({"v": "2.0"}), NOW)
    assert shown(metrics) == {"2.0": 1}


SESSIONS = [SessionSettings(name="s", key="pid", start="e = 'in'", end="e = 'out'", carry=("m",), settle=1)]
EVERYTHING = [
    metric("lines_total", labels={"m": "m"}, max_series=3),
    metric("work_total", **{"from": "delta(n)"}, labels={"m": "m"}),
    metric("size_bytes", "histogram", **{"from": "field(n)"}, native=True, buckets=[1, 100], exemplar={"pid": "pid"}),
    metric("last", "gauge", **{"from": "field(n)"}),
    metric(
        "took_seconds", "histogram", **{"from": "field(duration_seconds)"}, of="s", labels={"m": "m"}, buckets=[1, 5]
    ),
    metric("open", "gauge", **{"from": "open"}, of="s", labels={"m": "m"}),
    metric("pair_seconds", "histogram", **{"from": "duration(e = 'in', e = 'out', pid)"}, labels={"m": "m"}),
]
TRAFFIC = [
    {
        "pid": str(i % 5),
        "e": ("in", "x", "x", "out")[(i // 5) % 4],
        "m": f"m{i % 3}" if (i // 5) % 4 == 1 else None,
        "n": i * i % 17,
        "t": 100.0 + i,
    }
    for i in range(80)
]


def _values(metrics: Metrics) -> Any:
    """Return what is shown at last; series of open sessions that were there for a moment only are left out."""
    metrics.flush(1_000 * SECOND)
    metrics.edition()()
    return {
        family.name: sorted((p for p in family.points if p.value or family.name != "open"), key=lambda p: str(p.labels))
        for family in metrics.families()
    }


@pytest.mark.parametrize("size", [1, 3, 7, 80])
def test_any_split_and_a_restart_anywhere_change_nothing(size: int) -> None:
    whole = Metrics(EVERYTHING, SESSIONS)
    whole.observe(rows(*TRAFFIC), 0)
    state: dict[str, object] = {}
    metrics = Metrics(EVERYTHING, SESSIONS)
    for start in range(0, len(TRAFFIC), size):
        metrics.observe(rows(*TRAFFIC[start : start + size]), 0)
        for key, value in json.loads(json.dumps(metrics.mark())).items():
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
        metrics = Metrics(EVERYTHING, SESSIONS)
        assert metrics.restore(state) == {}
    assert _values(metrics) == _values(whole)


def test_a_state_of_other_metrics_is_forgotten() -> None:
    old = Metrics([metric("a_total", labels={"x": "m"}), metric("b_total")])
    old.observe(rows({"m": "1"}), NOW)
    state = old.mark()
    new = Metrics([metric("a_total", labels={"y": "m"}), metric("b_total")])
    assert new.restore({**state, "series b_total nonsense": 5, "rubbish": 1}) == {
        'series a_total {"x": "1"}': None,
        "series b_total nonsense": None,
        "rubbish": None,
    }
    assert shown(new, "b_total") == {"": 1}
