"""Up to when lines are complete: the worst of the sources that a selector can mean, without those that are missing."""

from __future__ import annotations

from math import inf

import pytest

from tailrace.alerts.evaluate.contracts import Complete
from tailrace.alerts.evaluate.horizons import Horizons
from tailrace.alerts.evaluate.watermarks import Behind, Watermarks
from tailrace.clock import NS_PER_S as S
from tailrace.query.parser import parse

NOW = 10_000 * S


def selector(text):
    return (parse(text).selector,)


def complete(text, *behind, since_ns=0, now_ns=NOW):
    marks = Watermarks(lambda: behind, horizons=Horizons(max_wait_ns=300 * S), since_ns=since_ns)
    return marks(selector(text), now_ns)


def test_without_sources_all_is_complete_up_to_a_second_ago():
    assert complete('{app="x"}') == Complete(NOW - S, (), NOW - S)


def test_the_source_that_is_furthest_behind_counts():
    assert complete('{app="x"}', Behind("a", 3.0), Behind("b", 7.0)) == Complete(NOW - 8 * S, ("a", "b"), NOW - 8 * S)


@pytest.mark.parametrize(
    ("text", "upto_s"),
    [
        ('{source="a"}', 4),
        ('{source=~"a|c"}', 4),
        ('{source!="b", app="x"}', 4),
        ('{source="b"}', 8),
        ('{app="x"}', 8),
        ('{source="c"}', 1),
    ],
)
def test_only_sources_that_can_match_count(text, upto_s):
    sources = Behind("a", 3.0, {"source": "a"}), Behind("b", 7.0, {"source": "b"})
    assert complete(text, *sources).upto_ns == NOW - upto_s * S


def test_a_source_whose_streams_are_known_counts_for_these():
    pushed = Behind("loki_push", 30.0, streams=('{app="x", host="a"}', '{app="y"}'))
    assert complete('{app="x"}', pushed).upto_ns == NOW - 31 * S
    assert complete('{app="z"}', pushed).upto_ns == NOW - S


def test_a_source_that_is_too_far_behind_is_missing_and_not_waited_for():
    found = complete('{app="x"}', Behind("a", 301.0), Behind("b", 5.0))
    assert found == Complete(NOW - 302 * S, ("a", "b"), NOW - 6 * S)


def test_nothing_is_known_of_a_source_before_it_caught_up():
    found = complete('{app="x"}', Behind("a", inf), since_ns=NOW - 299 * S)
    assert found == Complete(0, ("a",), 0, NOW - 299 * S)


def test_it_has_its_time_to_catch_up_and_is_missing_then():
    found = complete('{app="x"}', Behind("a", inf), since_ns=NOW - 300 * S)
    assert found == Complete(0, ("a",), NOW - S, NOW - 300 * S)


def test_sources_are_looked_at_once_for_one_time():
    looks = []
    marks = Watermarks(lambda: looks.append(1) or ())
    for text in ('{app="x"}', '{app="y"}'):
        marks(selector(text), NOW)
    assert len(looks) == 1
    marks(selector('{app="x"}'), NOW + S)
    assert len(looks) == 2
