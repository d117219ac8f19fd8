"""Stacked bars over time: a bar for each step, a piece of it for each series, and the same numbers as rows. Pure.

Levels keep their colours; other series get one by their number, those beyond `SERIES_MOST` are one piece, "other".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.query.result import Series

HEIGHT: Final = 100
WIDTH: Final = 10
"""Height of the drawing and width of a bar, in units of the drawing."""

SERIES_MOST: Final = 8
CLASSES: Final = 12
"""Colours and dashes of series that are no levels."""

LEVEL: Final = "detected_level"
_LEVELS: Final = ("fatal", "critical", "error", "warn", "info", "debug", "trace")
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a bar: which series, and where it stands."""

    series: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One step `(start, end]`: its value of each series, and its pieces from the bottom up."""

    start_ns: int
    end_ns: int
    values: list[float]
    pieces: list[Piece]

    @property
    def total(self) -> float:
        """Sum of all series."""
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Stacks:
    """All bars; `names` and `classes` (of style) are of the series in their order."""

    names: list[str]
    classes: list[str]
    bars: list[Bar]
    most: float

    @property
    def sums(self) -> list[float]:
        """Sum of each series over all bars."""
        return [sum(bar.values[number] for bar in self.bars) for number in range(len(self.names))]


def stacks(answer: Series, start_ns: int, end_ns: int, step_ns: int) -> Stacks:
    """Return the bars of an answer whose points stand at the ends of the steps of `[start, end]`.

    The worst level stands on the ground line, else the largest series. What is below zero or no number has no height.
    """
    order = _order(answer)
    shown = order[:SERIES_MOST] if len(order) > SERIES_MOST + 1 else order
    places = {series: min(place, len(shown)) for place, series in enumerate(order)}
    names = [label_text(answer.labels[series]) for series in shown]
    classes = [class_of(answer.labels[series], place) for place, series in enumerate(shown)]
    if len(shown) < len(order):
        names, classes = [*names, OTHER], [*classes, "lv-none"]
    steps = max((end_ns - start_ns) // step_ns, 0)
    values = [[0.0] * len(names) for _ in range(steps)]
    for series, at, value in answer.frame.select("series", "_time_ns", "value").iter_rows():
        step = (at - start_ns) // step_ns - 1
        if 0 <= step < steps and 0 < value < float("inf"):
            values[step][places[series]] += value
    most = max(map(sum, values), default=0.0)
    bars = [
        Bar(start_ns + step * step_ns, start_ns + (step + 1) * step_ns, held, pieces_of(step, held, most))
        for step, held in enumerate(values)
    ]
    return Stacks(names, classes, bars, most)


def label_text(labels: Mapping[str, str]) -> str:
    """Return how a series is named: the value of an only label, else `label=value` of each.

    >>> label_text({"host": "a"}), label_text({"host": "a", "job": "b"}), label_text({})
    ('a', 'host=a, job=b', 'all')
    """
    if len(labels) == 1:
        return next(iter(labels.values()))
    return ", ".join(f"{name}={value}" for name, value in labels.items()) or "all"


def _order(answer: Series) -> list[int]:
    """Return the series as they are stacked: by level from the worst, else by sum from the largest."""
    sums = dict(answer.frame.group_by("series").agg(pl.col("value").sum()).iter_rows())
    numbers = range(len(answer.labels))
    if any(answer.labels[number].get(LEVEL) in _LEVELS for number in numbers):
        return sorted(numbers, key=lambda number: (_level(answer.labels[number]), -sums.get(number, 0.0)))
    return sorted(numbers, key=lambda number: -sums.get(number, 0.0))


def _level(labels: Mapping[str, str]) -> int:
    level = labels.get(LEVEL, "")
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def class_of(labels: Mapping[str, str], place: int) -> str:
    """Return the class of style of a series: a level has its own, others go by their place.

    >>> class_of({"detected_level": "error"}, 1), class_of({}, 0), class_of({"host": "a"}, 13)
    ('lv-error', 'c5', 'c1')
    """
    level = labels.get(LEVEL)
    if level is not None and len(labels) == 1:
        return f"lv-{level}" if level in _LEVELS else "lv-none"
    return f"c{place % CLASSES}" if labels else "c5"


def pieces_of(step: int, values: list[float], most: float) -> list[Piece]:
    """Return the pieces of one bar; one line is visible beside many."""
    pieces, y = [], float(HEIGHT)
    for series, value in enumerate(values):
        if value > 0:
            height = min(max(1.5, value * HEIGHT / most), y)
            y -= height
            pieces.append(Piece(series, step * WIDTH + 1, round(y, 2), round(height, 2)))
    return pieces
