"""The text formats: bytes worked out by hand, and read back by the parsers of Prometheus' Python library."""

from __future__ import annotations

import math

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tailrace.exposition import Exemplar, Family, Format, Histogram, Point, render

COUNTER = Family(
    "hits_bytes_total",
    "counter",
    'Hits\\ of "all"\nkinds.',
    [
        Point(
            {"b": 'x"\\\n', "a": "é", "none": ""},
            3,
            1_500_000_000,
            Exemplar({"trace": "t1"}, 2.5, 1_700_000_000_000_000_001),
        )
    ],
    "bytes",
)
HISTOGRAM = Family(
    "took_seconds",
    "histogram",
    "Time.",
    [Point({}, Histogram(6, 22.35, (0.1, 1.0, 10.0), (2, 2, 1, 1), {1: Exemplar({"id": "7"}, 0.5)}), 2_000_000_000)],
    "seconds",
)
GAUGE = Family("up_ratio", "gauge", "Up.", [Point({}, math.nan), Point({"x": "1"}, -math.inf)], "ratio")


def test_the_oldest_text_format() -> None:
    text = render([COUNTER, HISTOGRAM, GAUGE], Format("text", "0.0.4")).decode()
    assert text == (
        '# HELP hits_bytes_total Hits\\\\ of "all"\\nkinds.\n'
        "# TYPE hits_bytes_total counter\n"
        'hits_bytes_total{a="é",b="x\\"\\\\\\n"} 3\n'
        "# HELP took_seconds Time.\n"
        "# TYPE took_seconds histogram\n"
        'took_seconds_bucket{le="0.1"} 2\n'
        'took_seconds_bucket{le="1.0"} 4\n'
        'took_seconds_bucket{le="10.0"} 5\n'
        'took_seconds_bucket{le="+Inf"} 6\n'
        "took_seconds_count 6\n"
        "took_seconds_sum 22.35\n"
        "# HELP up_ratio Up.\n"
        "# TYPE up_ratio gauge\n"
        "up_ratio NaN\n"
        'up_ratio{x="1"} -Inf\n'
    )


def test_openmetrics() -> None:
    text = render([COUNTER, HISTOGRAM], Format("openmetrics", "1.0.0")).decode()
    assert text == (
        '# HELP hits_bytes Hits\\\\ of \\"all\\"\\nkinds.\n'
        "# TYPE hits_bytes counter\n"
        "# UNIT hits_bytes bytes\n"
        'hits_bytes_total{a="é",b="x\\"\\\\\\n"} 3 # {trace="t1"} 2.5 1700000000.000000001\n'
        'hits_bytes_created{a="é",b="x\\"\\\\\\n"} 1.5\n'
        "# HELP took_seconds Time.\n"
        "# TYPE took_seconds histogram\n"
        "# UNIT took_seconds seconds\n"
        'took_seconds_bucket{le="0.1"} 2\n'
        'took_seconds_bucket{le="1.0"} 4 # {id="7"} 0.5\n'
        'took_seconds_bucket{le="10.0"} 5\n'
        'took_seconds_bucket{le="+Inf"} 6\n'
        "took_seconds_count 6\n"
        "took_seconds_sum 22.35\n"
        "took_seconds_created 2.0\n"
        "# EOF\n"
    )


def test_both_are_read_back() -> None:
    families = [COUNTER, HISTOGRAM, GAUGE]
    old = {f.name: f for f in read_text(render(families, Format("text", "0.0.4")).decode())}
    assert old["hits_bytes"].samples[0].labels == {"a": "é", "b": 'x"\\\n'}
    new = {f.name: f for f in read_openmetrics(render(families, Format("openmetrics", "1.0.0")).decode())}
    assert (new["hits_bytes"].unit, new["hits_bytes"].documentation) == ("bytes", 'Hits\\ of "all"\nkinds.')
    assert new["hits_bytes"].samples[0].exemplar is not None
    assert [s.value for s in new["took_seconds"].samples if s.name.endswith("bucket")] == [2, 4, 5, 6]


def test_an_exemplar_that_is_too_long_is_left_out() -> None:
    point = Point({}, 1, None, Exemplar({"a": "x" * 128}, 1.0))
    assert (
        b"#"
        not in render([Family("x_total", "counter", "X.", [point])], Format("openmetrics", "1.0.0")).splitlines()[2]
    )
    point = Point({}, 1, None, Exemplar({"a": "x" * 127}, 1.0))
    assert b" # {" in render([Family("x_total", "counter", "X.", [point])], Format("openmetrics", "1.0.0"))


@pytest.mark.parametrize(
    ("escaping", "line"),
    [
        ("allow-utf-8", '{"a.b_total","c.d"="1"} 1'),
        ("underscores", 'a_b_total{c_d="1"} 1'),
        ("dots", 'a_dot_b__total{c_dot_d="1"} 1'),
        ("values", 'U__a_2e_b__total{U__c_2e_d="1"} 1'),
    ],
)
def test_names_are_escaped_as_asked(escaping, line: str) -> None:
    family = Family("a.b_total", "counter", "X.", [Point({"c.d": "1"}, 1)])
    assert render([family], Format("text", "1.0.0", escaping)).decode().splitlines()[2] == line
    assert render([family], Format("openmetrics", "1.0.0", escaping)).decode().splitlines()[2] == line


def test_numbers_are_exact() -> None:
    family = Family("x", "gauge", "X.", [Point({}, value) for value in (2**60 + 1, 0.1, 1e16, -0.0)])
    lines = render([family], Format("text", "0.0.4")).decode().splitlines()[2:]
    assert [float(line.split()[1]) for line in lines[1:]] == [0.1, 1e16, 0.0]
    assert lines[0] == "x 1152921504606846977"
