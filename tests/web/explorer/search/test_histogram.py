import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.query import parser
from tailrace.query.result import Series, Stats
from tailrace.query.syntax import LogQuery
from tailrace.web.explorer.search.histogram import BUCKETS_MOST, HEIGHT, Bar, Grid, bars, boxes, grid, query, totals

S = 1_000_000_000
T = 1_767_225_600 * S  # 2026-01-01T00:00:00Z


@pytest.mark.parametrize(
    ("span_s", "step_s", "buckets"),
    [
        (60, 1, 60),
        (300, 5, 60),
        (3_600, 60, 60),
        (86_400, 900, 96),
        (7 * 86_400, 7_200, 84),
        (30 * 86_400, 6 * 3_600 * 2, 60),
    ],
)
def test_buckets_lie_on_a_calendar_grid(span_s: int, step_s: int, buckets: int) -> None:
    found = grid(T, T + span_s * S)
    assert found == Grid(T, T + span_s * S, step_s * S)
    assert found.buckets == buckets


@given(st.integers(0, 2**61), st.integers(1, 2**60))
def test_the_grid_covers_the_range_and_stays_small(start_ns: int, span_ns: int) -> None:
    found = grid(start_ns, start_ns + span_ns)
    assert found.start_ns <= start_ns < found.start_ns + found.step_ns
    assert found.end_ns - found.step_ns < start_ns + span_ns <= found.end_ns
    if span_ns < 3_000 * 86_400 * S:
        assert found.buckets <= BUCKETS_MOST


def test_the_query_counts_lines_that_a_stage_stumbles_over() -> None:
    plain, parsed = parser.parse('{a="b"} |= "x"'), parser.parse('{a="b"} | json')
    assert isinstance(plain, LogQuery)
    assert isinstance(parsed, LogQuery)
    assert query(plain, 60 * S) == 'sum by (detected_level) (count_over_time({a="b"} |= "x" [1m] offset 1ns))'
    assert "| json | drop __error__, __error_details__ [1m]" in query(parsed, 60 * S)


def test_points_become_bars_by_level() -> None:
    points = [
        (0, T + 60 * S, 2.0),
        (0, T + 180 * S, 1.0),
        (1, T + 60 * S, 3.0),
        (2, T + 60 * S, 4.0),
        (0, T + 240 * S, 9.0),
    ]
    frame = pl.DataFrame(points, schema={"series": pl.UInt32, "_time_ns": pl.Int64, "value": pl.Float64}, orient="row")
    answer = Series("matrix", ({"detected_level": "error"}, {}, {"detected_level": "critical"}), frame, Stats())
    found = bars(answer, Grid(T, T + 180 * S, 60 * S))
    assert [bar.start_ns for bar in found] == [T, T + 60 * S, T + 120 * S]
    assert [bar.counts for bar in found] == [{"critical": 4, "error": 2, "none": 3}, {}, {"error": 1}]
    assert list(totals(found).items()) == [("critical", 4), ("error", 3), ("none", 3)]


def test_the_worst_stands_on_the_ground_and_one_line_is_visible() -> None:
    drawn = boxes([Bar(0, 1, {"info": 1_000}), Bar(1, 2, {"info": 499, "error": 1}), Bar(2, 3)])
    assert [(box.level, box.y, box.height) for box in drawn[0]] == [("info", 0.0, HEIGHT)]
    assert [(box.level, box.y, box.height) for box in drawn[1]] == [("error", 98.5, 1.5), ("info", 48.6, 49.9)]
    assert drawn[2] == []
