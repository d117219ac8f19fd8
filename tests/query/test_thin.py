import polars as pl
import pytest

from tailrace.query.thin import _kept


@pytest.mark.parametrize(
    ("times", "interval", "last", "limit", "rows"),
    [
        ([10, 9, 7, 6, 1], 3, None, 9, [0, 2, 4]),
        ([1, 6, 7, 9, 10], 3, None, 9, [0, 1, 3]),
        ([10, 9, 7, 6, 1], 3, 11, 9, [2, 4]),  # the page before ended at 11
        ([1, 6, 7, 9, 10], 3, 0, 9, [1, 3]),
        ([5, 5, 5], 1, None, 9, [0]),
        ([10, 9, 7, 6, 1], 3, None, 2, [0, 2]),
        ([4], 3, None, 9, [0]),
        ([4], 3, 2, 9, []),
        ([], 3, None, 9, []),
    ],
)
def test_lines_that_are_kept(times, interval, last, limit, rows) -> None:
    found, newest = _kept(pl.Series(times, dtype=pl.Int64), interval, last, limit)
    assert found == rows
    assert newest == (times[rows[-1]] if rows else last)
