"""Recorded series at the Prometheus API: asked by name, listed beside streams."""

from __future__ import annotations

import httpx
import polars as pl
import pytest

from tailrace.batch import stream_labels, stream_text
from tailrace.clock import ManualClock
from tailrace.engines.polars import PolarsEngine
from tailrace.query.named import NAME, SAMPLES, chosen
from tailrace.store.table import LogTable
from tailrace.telemetry import Accounts
from tailrace.web.app import create_app
from tailrace.web.services import Services
from web.conftest import NOW_NS, FakeSink, S, _served

MINUTE = 60 * S
KEYS = [
    stream_text({NAME: "web:lines:rate1m", "host": "a"}),
    stream_text({NAME: "ALERTS", "alertname": "Many", "alertstate": "firing"}),
]


class Recordings:
    """Each series has 2 a minute ago; the first ended at this moment plus a minute."""

    def samples(self, name, start_ns, end_ns):
        rows = [(key, NOW_NS - MINUTE, 2.0, False) for key in KEYS] + [(KEYS[0], NOW_NS + MINUTE, None, True)]
        frame = pl.DataFrame(rows, schema=SAMPLES, orient="row")
        mine = pl.col("key").map_elements(lambda key: stream_labels(key)[NAME] == name, return_dtype=pl.Boolean)
        return frame.filter(mine, pl.col("_time_ns") >= start_ns, pl.col("_time_ns") < end_ns)

    def series(self, start_ns, end_ns, matches=()):
        keys = chosen(KEYS, matches)["key"].to_list() if matches else KEYS
        return [stream_labels(key) for key in sorted(keys)] if start_ns <= NOW_NS < end_ns else []


@pytest.fixture
def ask(tmp_path):
    table = LogTable.open(tmp_path, create=True)
    services = Services(
        table,
        PolarsEngine(),
        FakeSink(),
        Accounts(),
        ManualClock(NOW_NS),
        "box",
        tuple,
        NOW_NS,
        recordings=Recordings(),
    )
    with (
        _served(create_app(services)) as address,
        httpx.Client(base_url=address, timeout=20, trust_env=False) as client,
    ):

        def asked(path, **parameters):
            given = {key.replace("match", "match[]"): value for key, value in parameters.items()}
            return client.get(f"/api/v1/{path}", params=given).json()

        yield asked


def test_a_query_names_them(ask):
    now = NOW_NS // S
    (found,) = ask("query", query='web:lines:rate1m{host="a"}', time=now)["data"]["result"]
    assert found == {"metric": {NAME: "web:lines:rate1m", "host": "a"}, "value": [now, "2"]}
    assert ask("query", query="sum by (host) (web:lines:rate1m) * 3", time=now)["data"]["result"] == [
        {"metric": {"host": "a"}, "value": [now, "6"]}
    ]
    assert ask("query", query="web:lines:rate1m > 5", time=now)["data"]["result"] == []
    assert ask("query", query='ALERTS{alertstate="pending"}', time=now)["data"]["result"] == []
    assert ask("query", query="never:recorded", time=now)["data"]["result"] == []


def test_a_range_ends_where_the_series_does(ask):
    now = NOW_NS // S
    found = ask("query_range", query="web:lines:rate1m", start=now - 120, end=now + 120, step=60)["data"]["result"]
    assert [value for one in found for value in one["values"]] == [[now - 60, "2"], [now, "2"]]


def test_they_are_listed_beside_streams(ask):
    assert ask("label/__name__/values")["data"] == ["ALERTS", "web:lines:rate1m"]
    assert {"__name__", "alertstate", "host"} <= set(ask("labels")["data"])
    assert ask("series", match='web:lines:rate1m{host=~"a|b"}')["data"] == [{NAME: "web:lines:rate1m", "host": "a"}]
    assert ask("series", match='{__name__="ALERTS"}')["data"] == [stream_labels(KEYS[1])]


def test_what_is_no_query_is_refused(ask):
    assert ask("query", query="web:lines:rate1m[5m]")["error"].startswith("parse error at line 1, col 17")
    assert ask("series", match="sum(web:lines:rate1m)")["errorType"] == "bad_data"
