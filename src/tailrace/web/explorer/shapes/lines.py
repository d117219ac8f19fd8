"""A line through points, broken where one is missing: nothing is drawn that was not measured. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def broken(points: Iterable[tuple[float, float]], step: float | None = None) -> str:
    """Return points as an SVG path, in units of the drawing; with a step, the line ends where the next one is missing.

    >>> broken([(0, 24), (50, 0), (100, 12)], 50), broken([(0, 24), (100, 12)], 50)
    ('M0,24h0L50,0L100,12', 'M0,24h0M100,12h0')
    """
    pieces, before = [], None
    for across, down in points:
        # half a step of room, since places are rounded; `h0` is a dot, should nothing follow
        joined = before is not None and (step is None or across - before <= step * 1.5)
        pieces.append(f"L{across:.4g},{down:.4g}" if joined else f"M{across:.4g},{down:.4g}h0")
        before = across
    return "".join(pieces)
