"""Which queries a metric answers, and who asks them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tailrace.rollups.model import metric_of
from tailrace.web.explorer.metrics.readers import readers_of, readers_of_series

HITS = replace(metric_of("hits", 'sum by (host) (count_over_time({host=~".+"}[1m]))'), uid="u")


@pytest.mark.parametrize(
    ("query", "answered"),
    [
        ('sum(count_over_time({host=~".+"}[5m])) > 3', True),
        ('sum by (host) (rate({host=~".+"}[1m]))', True),
        ('topk(3, sum by (host) (count_over_time({host=~".+"}[1m])))', True),
        ('sum by (status) (count_over_time({host=~".+"}[1m]))', False),  # a label that is not kept
        ('sum(count_over_time({host="a"}[1m]))', False),  # other lines
        ('{host=~".+"}', False),
        ("sum(count_over_time({host", False),
        ("hits > 1", False),
    ],
)
def test_a_metric_is_read_by_what_its_numbers_answer(query: str, answered: bool) -> None:
    assert readers_of(HITS, [("who", "/where", query)]) == [("who", "/where")] * answered


def test_a_recorded_series_is_read_by_those_who_name_it() -> None:
    queries = [("a", "/a", 'sum(job:x:rate{host="a"}) / job:y:rate'), ("b", "/b", "job:y:rate > 1"), ("c", "/c", "{")]
    assert readers_of_series("job:y:rate", queries) == [("a", "/a"), ("b", "/b")]
    assert readers_of_series("job:x:rate", queries) == [("a", "/a")]
    assert readers_of_series("job:z:rate", queries) == []
