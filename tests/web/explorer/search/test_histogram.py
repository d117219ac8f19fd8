import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.web.explorer.search.histogram import BUCKETS_MOST, Gap, Grid, Split, gaps, grid, histogram, shift_ns

S = 1_000_000_000
T = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
DAY = 86_400 * S


def counts(by: str, *rows: tuple[str | None, int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={by: pl.String, "bucket": pl.Int64, "lines": pl.Int64}, orient="row")


@pytest.mark.parametrize(
    ("span_s", "step_s", "buckets"),
    [
        (60, 1, 60),
        (300, 3, 100),
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


@given(st.integers(0, 2**61), st.integers(200_000_000, 20 * 365 * DAY))
def test_the_grid_covers_the_range_with_about_sixty_to_a_hundred_and_twenty_buckets(start: int, span: int) -> None:
    found = grid(start, start + span)
    assert found.start_ns <= start < found.start_ns + found.step_ns
    assert found.end_ns - found.step_ns < start + span <= found.end_ns
    assert BUCKETS_MOST // 2 - 1 <= found.buckets <= BUCKETS_MOST


def test_levels_stand_worst_first_and_one_line_is_visible() -> None:
    rows = counts(
        "detected_level",
        ("unknown", T, 3),
        ("error", T, 2),
        ("critical", T, 4),
        ("error", T + 120 * S, 1),
        ("info", T + 60 * S, 991),
        ("error", T + 60 * S, 9),
    )
    found = histogram(rows, "detected_level", Grid(T, T + 180 * S, 60 * S))
    assert found.series == [
        Split("critical", "critical", "lv-critical", 4),
        Split("error", "error", "lv-error", 12),
        Split("info", "info", "lv-info", 991),
        Split("unknown", "no level", "lv-none", 3),
    ]
    assert [bar.values for bar in found.bars] == [[4, 2, 0, 3], [0, 9, 991, 0], [0, 1, 0, 0]]
    assert (found.total, found.most) == (1_010, 1_000)
    assert [(piece.series, piece.y, piece.height) for piece in found.bars[1].pieces] == [(1, 98.5, 1.5), (2, 0.0, 98.5)]
    assert [(piece.series, piece.height) for piece in found.bars[2].pieces] == [(1, 1.5)]


def test_of_many_values_the_largest_have_colours_and_the_rest_is_other() -> None:
    rows = counts("host", *[(f"h{number}", T, 20 - number) for number in range(10)], (None, T, 50))
    found = histogram(rows, "host", Grid(T, T + S, S))
    assert [(one.name, one.total) for one in found.series] == [
        ("without host", 50),
        *[(f"h{number}", 20 - number) for number in range(7)],
        ("3 other", 13 + 12 + 11),
    ]
    assert [one.style for one in found.series] == ["lv-none", *[f"c{number}" for number in range(1, 8)], "c-other"]
    assert found.bars[0].values == [50, 20, 19, 18, 17, 16, 15, 14, 36]
    assert sum(found.bars[0].values) == found.total == int(rows["lines"].sum())


def test_one_value_too_many_is_no_other() -> None:
    rows = counts("host", *[(f"h{number}", T, 1) for number in range(9)])
    assert [one.other for one in histogram(rows, "host", Grid(T, T + S, S)).series] == [False] * 9


def test_an_earlier_range_is_an_outline_over_the_same_buckets() -> None:
    now = counts("detected_level", ("info", T, 30), ("info", T + S, 10))
    before = counts("x", (None, T - DAY, 20), (None, T - DAY + S, 60)).drop("x")
    found = histogram(now, "detected_level", Grid(T, T + 2 * S, S), (), (before, DAY, True))
    assert found.before is not None
    assert (found.before.counts, found.before.total, found.most) == ([20, 60], 80, 60)
    assert found.before.path == "M0,100V66.67H10V0H20V100"
    assert found.before.change(found.total) == "-50 %"
    assert [(bar.total, was) for bar, was in found.rows] == [(30, 20), (10, 60)]


@pytest.mark.parametrize(("total", "said"), [(80, "+0 %"), (82, "+2.5 %"), (160, "+100 %"), (0, "-100 %")])
def test_changes_are_said_in_percent(total: int, said: str) -> None:
    before = counts("x", (None, T, 80)).drop("x")
    found = histogram(counts("x"), "x", Grid(T, T + S, S), (), (before, 0, True))
    assert found.before is not None
    assert found.before.change(total) == said


def test_ranges_are_compared_with_the_period_before_a_day_or_a_week() -> None:
    assert [shift_ns(name, T, T + 5) for name in ("", "previous", "1d", "7d")] == [0, 5, DAY, 7 * DAY]


def test_what_was_not_searched_is_told_from_what_holds_nothing() -> None:
    on = Grid(T, T + 100 * S, 10 * S)
    found = gaps(on, T + 5 * S, T + 95 * S, oldest_ns=T + 20 * S, now_ns=T + 70 * S)
    assert found == [
        Gap(0.0, 5.0, "outside"),
        Gap(5.0, 15.0, "unstored"),
        Gap(70.0, 25.0, "future"),
        Gap(95.0, 5.0, "outside"),
    ]
    assert gaps(on, T, T + 100 * S, oldest_ns=T - 1, now_ns=T + 200 * S) == []
    assert gaps(on, T, T + 100 * S, oldest_ns=None, now_ns=T + 200 * S) == [Gap(0.0, 100.0, "unstored")]
