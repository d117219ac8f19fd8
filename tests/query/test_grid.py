import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import QueryError
from tailrace.query.grid import Cells, Grid, aligned, instant
from tailrace.query.windows import spread


def test_the_grid_is_aligned_to_the_epoch_at_both_ends():
    assert aligned(13, 21, 10) == Grid(10, 10, 3)
    assert aligned(10, 20, 10) == Grid(10, 10, 2)
    assert aligned(10, 10, 10) == Grid(10, 10, 1)
    assert aligned(-13, -1, 10) == Grid(-20, 10, 3)


def test_a_step_of_nothing_is_refused():
    with pytest.raises(QueryError, match="step"):
        aligned(0, 10, 0)


def test_the_limit_of_points():
    assert aligned(0, 10_999, 1).points == 11_000
    with pytest.raises(QueryError, match="11001 points"):
        aligned(0, 11_000, 1)


def test_an_instant_window():
    cells = Cells(instant(100), 30, 5)
    assert (cells.start_ns, cells.end_ns, cells.whole) == (66, 96, True)


@given(
    times=st.lists(st.integers(-60, 160), max_size=30),
    first=st.integers(-3, 3),
    step=st.integers(1, 30),
    points=st.integers(1, 9),
    length=st.integers(1, 70),
    offset=st.integers(-40, 40),
)
def test_cells_laid_over_windows_count_as_the_definition_does(times, first, step, points, length, offset):
    grid = Grid(first * step, step, points)
    cells = Cells(grid, length, offset)
    counted = {}
    for k in range(points):
        end = grid.first_ns + k * step - offset
        found = sum(end - length < time <= end for time in times)
        if found:
            counted[k] = found
    inside = pl.DataFrame({"t": [t for t in times if cells.start_ns <= t < cells.end_ns]}, schema={"t": pl.Int64})
    totals = inside.with_columns(*cells.keys(pl.col("t")), lines=pl.lit(1, pl.Int64), bytes=pl.lit(0, pl.Int64)).drop(
        "t"
    )
    windows = spread(totals, cells)
    summed = windows.group_by("step").agg(pl.col("lines").sum())
    assert dict(summed.select("step", "lines").iter_rows()) == counted
