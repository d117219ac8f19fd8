"""What a scraper gets for what it says that it accepts."""

from __future__ import annotations

import gzip

import pytest

from tailrace.exposition import Family, Point, choose, gzip_accepted, respond

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
PROMETHEUS_2_42 = (
    f"{PROTOBUF},application/openmetrics-text;version=1.0.0;q=0.8,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain", TEXT),
        ("application/json", TEXT),
        ("text/plain;version=1.0.0", "text/plain; version=1.0.0; charset=utf-8; escaping=underscores"),
        ("text/plain;version=9;q=1,text/plain;q=0.1", TEXT),
        (
            PROMETHEUS_2_42,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores",
        ),
        (
            PROMETHEUS_2_42.split(",", 1)[1],
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        ("application/openmetrics-text;version=0.0.1", "application/openmetrics-text; version=0.0.1; charset=utf-8"),
        ("application/openmetrics-text; version=2.0.0, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=0, text/plain;q=0.1", TEXT),
        (
            "text/plain;q=0.4,application/openmetrics-text;version=1.0.0;q=0.9;escaping=dots",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots",
        ),
        (
            "text/plain;version=1.0.0;escaping=allow-utf8",
            "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
        (
            f"{PROTOBUF};escaping=values",
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=values",
        ),
        ("application/vnd.google.protobuf;proto=other;encoding=delimited", TEXT),
        ("text/plain;q=nonsense", TEXT),
    ],
)
def test_the_format_that_is_wanted_most(accept: str, content_type: str) -> None:
    assert choose(accept).content_type == content_type


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("gzip;q=0, *", False),
        ("identity", False),
    ],
)
def test_compression(accepted: str, *, compressed: bool) -> None:
    assert gzip_accepted(accepted) == compressed


def test_an_answer_says_what_it_is() -> None:
    families = [Family("x_total", "counter", "X.", [Point({}, 1)])]
    body, headers = respond(families, "*/*", "gzip")
    assert headers == {"Content-Type": TEXT, "Content-Encoding": "gzip", "Vary": "Accept, Accept-Encoding"}
    assert gzip.decompress(body) == b"# HELP x_total X.\n# TYPE x_total counter\nx_total 1\n"
