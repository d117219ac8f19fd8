"""A line through points, and where it is broken."""

import pytest

from tailrace.web.explorer.shapes.lines import broken


@pytest.mark.parametrize(
    ("points", "step", "path"),
    [
        ([], 10, ""),
        ([(5, 1)], 10, "M5,1h0"),
        ([(0, 1), (10, 2), (30, 3)], 10, "M0,1h0L10,2M30,3h0"),
        ([(0, 1), (10.0001, 2)], 10, "M0,1h0L10,2"),  # rounded places are no gap
        ([(0, 1), (30, 3)], None, "M0,1h0L30,3"),
        ([(333.333, 18.1818)], None, "M333.3,18.18h0"),
    ],
)
def test_a_line_ends_where_the_next_point_is_missing(
    points: list[tuple[float, float]], step: float | None, path: str
) -> None:
    assert broken(points, step) == path
