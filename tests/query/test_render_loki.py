"""Loki's exact shapes (its HTTP API, `query` and `query_range`)."""

from __future__ import annotations

import json
import math

import polars as pl
import pytest

from tailrace.query import render
from tailrace.query.result import SERIES_SCHEMA, Lines, Series, Stats

T = 1_700_000_000_000_000_001


def loki_response(answer, **how):
    return json.loads(render.loki_response(answer, **how))


STATS = Stats(rows=10, bytes=400, segments_read=2, segments_skipped=3, seconds=0.5)
FRAME = pl.DataFrame(
    {
        "_time_ns": [T + 2, T + 1, T],
        "_line": ["third", "second", "first"],
        "_level": ["error", None, "info"],
        "_offset": [3, 2, 1],
        "stream.host": ["b", "a", "a"],
        "stream.app": ["web", "web", None],
        "meta.trace": ["t1", None, None],
        "parsed.status": ["500", "200", "200"],
        "parsed.empty": ["", None, None],
    }
)


def test_pairs_flatten_all_labels_and_split_streams_by_them():
    data = loki_response(Lines(FRAME, STATS))["data"]
    assert data["resultType"] == "streams"
    assert "encodingFlags" not in data
    assert data["result"] == [
        {
            "stream": {"app": "web", "empty": "", "host": "b", "status": "500", "trace": "t1"},
            "values": [[str(T + 2), "third"]],
        },
        {"stream": {"app": "web", "host": "a", "status": "200"}, "values": [[str(T + 1), "second"]]},
        {"stream": {"host": "a", "status": "200"}, "values": [[str(T), "first"]]},
    ]


def test_triples_keep_streams_and_say_where_labels_come_from():
    data = loki_response(Lines(FRAME, STATS), categorize=True)["data"]
    assert data["encodingFlags"] == ["categorize-labels"]
    assert data["result"] == [
        {"stream": {"app": "web", "host": "a"}, "values": [[str(T + 1), "second", {"parsed": {"status": "200"}}]]},
        {
            "stream": {"app": "web", "host": "b"},
            "values": [
                [
                    str(T + 2),
                    "third",
                    {
                        "structuredMetadata": {"detected_level": "error", "trace": "t1"},
                        "parsed": {"empty": "", "status": "500"},
                    },
                ]
            ],
        },
        {
            "stream": {"host": "a"},
            "values": [
                [str(T), "first", {"structuredMetadata": {"detected_level": "info"}, "parsed": {"status": "200"}}]
            ],
        },
    ]


def test_entries_of_one_stream_keep_the_order_of_the_answer():
    frame = FRAME.select("_time_ns", "_line", pl.lit("a").alias("stream.host"))
    for answer in (frame, frame.reverse()):
        (stream,) = loki_response(Lines(answer, STATS))["data"]["result"]
        assert [entry[1] for entry in stream["values"]] == answer["_line"].to_list()


def test_a_triple_without_labels_keeps_its_empty_object():
    frame = FRAME.select("_time_ns", "_line", "stream.host").head(1)
    (stream,) = loki_response(Lines(frame, STATS), categorize=True)["data"]["result"]
    assert stream == {"stream": {"host": "b"}, "values": [[str(T + 2), "third", {}]]}


def test_a_parser_that_overwrites_a_label_wins():
    parsed = pl.Series("parsed.host", ["p", None, "p"])
    frame = FRAME.select("_time_ns", "_line", "stream.host", parsed)
    streams = loki_response(Lines(frame, STATS))["data"]["result"]
    assert [(stream["stream"], len(stream["values"])) for stream in streams] == [({"host": "a"}, 1), ({"host": "p"}, 2)]


def test_a_level_of_its_own_is_not_replaced():
    frame = FRAME.with_columns(pl.lit("odd").alias("meta.detected_level")).head(1)
    (stream,) = loki_response(Lines(frame, STATS), categorize=True)["data"]["result"]
    assert stream["values"][0][2]["structuredMetadata"]["detected_level"] == "odd"


@pytest.mark.parametrize("categorize", [True, False])
def test_nothing_found(categorize):
    assert loki_response(Lines(FRAME.head(0), STATS), categorize=categorize)["data"]["result"] == []


def samples(kind, labels, *rows):
    return Series(kind, labels, pl.DataFrame(rows, schema=SERIES_SCHEMA, orient="row"), STATS)


def test_matrix():
    answer = samples(
        "matrix",
        ({"a": "1"}, {"b": "2"}),
        (0, 1_700_000_000_000_000_000, 3.0),
        (0, 1_700_000_060_000_000_000, 0.5),
        (1, 1_700_000_000_250_900_000, 1e21),
    )
    assert loki_response(answer)["data"] | {"stats": None} == {
        "resultType": "matrix",
        "result": [
            {"metric": {"a": "1"}, "values": [[1700000000, "3"], [1700000060, "0.5"]]},
            {"metric": {"b": "2"}, "values": [[1700000000.25, "1000000000000000000000"]]},
        ],
        "stats": None,
    }


def test_vector_in_the_order_of_its_series():
    answer = samples("vector", ({"b": "2"}, {"a": "1"}), (0, 10**9, math.inf), (1, 10**9, -math.inf))
    assert loki_response(answer)["data"]["result"] == [
        {"metric": {"b": "2"}, "value": [1, "+Inf"]},
        {"metric": {"a": "1"}, "value": [1, "-Inf"]},
    ]


def test_scalar():
    assert loki_response(samples("scalar", ({},), (0, 1_700_000_000_000_000_000, 2.0)))["data"] | {"stats": None} == {
        "resultType": "scalar",
        "result": [1700000000, "2"],
        "stats": None,
    }


def test_statistics_and_warnings():
    body = loki_response(Lines(FRAME, STATS, complete=False, warnings=("one segment was missing",)))
    assert body["status"] == "success"
    assert body["warnings"] == ["one segment was missing"]
    assert body["data"]["stats"] == {
        "summary": {
            "bytesProcessedPerSecond": 800,
            "linesProcessedPerSecond": 20,
            "totalBytesProcessed": 400,
            "totalLinesProcessed": 10,
            "execTime": 0.5,
            "queueTime": 0.0,
            "totalEntriesReturned": 3,
        },
        "tailrace": {
            "complete": False,
            "segmentsRead": 2,
            "segmentsSkipped": 3,
            "segmentsSkippedByIndex": 0,
            "linesSkippedByIndex": 0,
            "bucketsRead": 0,
        },
    }
    assert "warnings" not in loki_response(Lines(FRAME, STATS))
