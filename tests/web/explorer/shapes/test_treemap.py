"""Treemaps: areas are shares, tiles fill the drawing without overlapping, and are near to squares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.web.explorer.shapes.treemap import Tile, treemap


def test_the_example_of_the_paper() -> None:
    """Values 6, 6, 4, 3, 2, 2, 1 in a drawing of 6 by 4."""
    tiles = treemap([6, 6, 4, 3, 2, 2, 1], 1.5)
    boxes = [tuple(round(side, 2) for side in (t.x * 0.06, t.y * 0.04, t.width * 0.06, t.height * 0.04)) for t in tiles]
    assert boxes == [
        (0, 0, 3, 2),
        (0, 2, 3, 2),
        (3, 0, 1.71, 2.33),
        (4.71, 0, 1.29, 2.33),
        (3, 2.33, 1.2, 1.67),
        (4.2, 2.33, 1.2, 1.67),
        (5.4, 2.33, 0.6, 1.67),
    ]


def test_what_is_not_above_zero_has_no_tile() -> None:
    assert treemap([]) == []
    assert treemap([0, -1]) == []
    assert treemap([0, 5], 1) == [Tile(1, 0, 0, 100, 100)]


@given(st.lists(st.integers(1, 10**15), min_size=1, max_size=60), st.floats(0.2, 5))
def test_areas_are_shares_and_nothing_stands_outside(values: list[int], ratio: float) -> None:
    tiles = treemap(values, ratio)
    assert sorted(tile.place for tile in tiles) == list(range(len(values)))
    for tile in tiles:
        assert tile.x >= -0.01
        assert tile.y >= -0.01
        assert tile.x + tile.width <= 100.02
        assert tile.y + tile.height <= 100.02
        share = 100 * values[tile.place] / sum(values)
        assert tile.width * tile.height / 100 == pytest.approx(share, abs=0.15)
