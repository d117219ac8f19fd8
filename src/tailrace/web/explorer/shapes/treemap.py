"""A treemap: a rectangle for each value, as large as its share and as square as can be. Pure.

Squarified as Bruls, Huizing and van Wijk describe it (Squarified Treemaps, 2000): values from the largest on fill rows
along the shorter side, and a row ends where one more value would make its worst rectangle longer. Places are shares
of the whole drawing in percent, so that it can have any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle, in percent of the drawing; `place` is that of its value in what was given."""

    place: int
    x: float
    y: float
    width: float
    height: float


def treemap(values: Sequence[float], ratio: float = 2.0) -> list[Tile]:
    """Return the tiles of values, largest first; what is not above zero has none. `ratio` is width to height.

    >>> treemap([3, 1], 2.0)
    [Tile(place=0, x=0.0, y=0.0, width=75.0, height=100.0), Tile(place=1, x=75.0, y=0.0, width=25.0, height=100.0)]
    """
    order = sorted((place for place, value in enumerate(values) if value > 0), key=lambda place: -values[place])
    whole = sum(values[place] for place in order)
    areas = [values[place] / whole * ratio for place in order]  # of a drawing that is `ratio` wide and 1 high
    tiles: list[Tile] = []
    x, y, width, height = 0.0, 0.0, ratio, 1.0
    begin = 0
    while begin < len(order):
        side = min(width, height)
        end = _row_end(areas, begin, side)
        thick = sum(areas[begin:end]) / side if side else 0.0
        along = 0.0
        for place, area in zip(order[begin:end], areas[begin:end], strict=True):
            length = area / thick if thick else 0.0
            box = (x, y + along, thick, length) if width >= height else (x + along, y, length, thick)
            tiles.append(_in_percent(place, box, ratio))
            along += length
        if width >= height:
            x, width = x + thick, max(width - thick, 0.0)
        else:
            y, height = y + thick, max(height - thick, 0.0)
        begin = end
    return tiles


def _row_end(areas: Sequence[float], begin: int, side: float) -> int:
    """Return where the row that begins here ends: before the value that would make its worst rectangle longer."""
    total, worst = 0.0, float("inf")
    for end in range(begin, len(areas)):
        total += areas[end]
        longest = max(side * side * areas[begin] / (total * total), total * total / (side * side * areas[end]))
        if longest > worst:
            return end
        worst = longest
    return len(areas)


def _in_percent(place: int, box: tuple[float, float, float, float], ratio: float) -> Tile:
    x, y, width, height = box
    return Tile(
        place, round(100 * x / ratio, 3), round(100 * y, 3), round(100 * width / ratio, 3), round(100 * height, 3)
    )
