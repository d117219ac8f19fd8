"""What is asked, of a folder and of a server."""

from __future__ import annotations

import pytest

from tailrace.cli.question import TIMEOUT_S, question
from tailrace.cli.span import Span
from tailrace.errors import QueryError
from tailrace.query.run import Request
from tailrace.web.times import time_ns

NOW = 1_767_312_000 * 10**9
HOUR = 3_600 * 10**9
LINES = '{a="b"}'
METRIC = 'count_over_time({a="b"}[1m])'


def test_lines_without_a_range_are_all_lines() -> None:
    asked = question(LINES, NOW)
    assert asked.span == Span()
    assert asked.request() == Request(LINES, Span().start_ns, Span().end_ns, None, 100, "backward", TIMEOUT_S)


def test_a_number_without_a_range_is_of_now() -> None:
    asked = question(METRIC, NOW)
    assert (asked.span.end_ns, asked.step_ns) == (NOW, None)


def test_points_need_a_start() -> None:
    with pytest.raises(QueryError, match="--step needs a start"):
        question(METRIC, NOW, step="1m")
    asked = question(METRIC, NOW, since="1h", step="1.5")
    assert (asked.span, asked.step_ns) == (Span(NOW - HOUR, NOW), 1_500_000_000)


@pytest.mark.parametrize(
    ("query", "step", "said"),
    [
        (LINES, "1m", "--step is for metric queries"),
        (METRIC, "0s", "--step must be more than zero"),
        (METRIC, "soon", "--step='soon' is no duration"),
        ('{a="b"', None, "expected"),
    ],
)
def test_mistakes(query: str, step: str | None, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        question(query, NOW, since="1h", step=step)


def test_a_server_is_asked_the_same() -> None:
    asked = question(METRIC, NOW, start="1h", step="90s", limit=7, direction="forward")
    assert asked.parameters() == {
        "query": METRIC,
        "start": "2026-01-01T23:00:00Z",
        "end": "2026-01-02T00:00:00Z",
        "limit": "7",
        "direction": "forward",
        "step": "90.000000000",
    }


def test_open_ends_survive_the_way_to_a_server() -> None:
    sent = question(LINES, NOW).parameters()
    assert time_ns(sent["start"]) == Span().start_ns
    assert time_ns(sent["end"]) == Span().end_ns
