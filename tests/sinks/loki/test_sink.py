from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from sinks.receivers import FakeLoki, around, serving
from store.rows import batch
from tailrace.sinks.loki.settings import LokiSettings
from tailrace.sinks.loki.sink import loki_sink, push

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_become_entries_of_their_streams_in_order() -> None:
    one = batch(["a", 'b "x"', "c"], status=[200, None, 404], level=[None, None, "own"], _level=["info", None, "warn"])
    frame = one.frame.with_columns(pl.Series("_stream", ['{app="x"}', '{app="y"}', '{app="x"}']))
    assert json.loads(push(frame, {"env": "test"}, with_fields=True)) == {
        "streams": [
            {
                "stream": {"app": "x", "env": "test"},
                "values": [
                    ["1700000000000000000", "a", {"status": "200"}],
                    ["1700000000002000000", "c", {"status": "404", "level": "own"}],
                ],
            },
            {"stream": {"app": "y", "env": "test"}, "values": [["1700000000001000000", 'b "x"', {}]]},
        ]
    }


def test_without_fields_and_labels_entries_are_plain_and_streams_have_a_label() -> None:
    one = batch(["a"], stream="{}", status=[200], _level=["info"])
    assert json.loads(push(one.frame, {}, with_fields=False)) == {
        "streams": [{"stream": {"source": "tailrace"}, "values": [["1700000000000000000", "a"]]}]
    }


def test_tenant_token_and_headers_are_sent(tmp_path: Path) -> None:
    with serving(FakeLoki()) as fake:
        settings = LokiSettings(url=fake.url, tenant="shop", token="hush", headers={"X-More": "1"})
        sink = loki_sink(settings, around(tmp_path, "loki"))
        sink.submit(batch(["x"], "a", 0)).result(60)
        sink.close()
    method, path, headers, _ = fake.requests[0]
    assert (method, path) == ("POST", "/loki/api/v1/push")
    assert (headers["X-Scope-OrgID"], headers["Authorization"], headers["X-More"]) == ("shop", "Bearer hush", "1")
    assert headers["Content-Encoding"] == "gzip"
