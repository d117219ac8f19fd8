"""A metric query's answer on the page: lines over time in one drawing, and the same numbers as a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Final

from tailrace.web.explorer.shapes.lines import broken
from tailrace.web.explorer.shapes.stacks import class_of

if TYPE_CHECKING:
    from tailrace.query.result import Series

WIDTH: Final = 1_000
HEIGHT: Final = 200
SERIES_MOST: Final = 12
"""Series that are drawn; the table lists more, up to `ROWS_MOST`."""
ROWS_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: its labels, its points as an SVG path, and its numbers."""

    name: str
    path: str
    last: float
    least: float
    most: float
    points: dict[int, float] = field(default_factory=dict)
    kind: str = "c0"  # class of style


@dataclass(frozen=True, slots=True)
class Chart:
    """All series; those that are drawn come first. `marked` is how far down a threshold stands in the drawing."""

    curves: list[Curve]
    most: float
    left_out: int
    least: float = 0.0
    threshold: float | None = None
    marked: float = 0.0

    @property
    def drawn(self) -> list[Curve]:
        """Return the series that are in the drawing."""
        return self.curves[:SERIES_MOST]

    def rows(self) -> list[tuple[int, list[float | None]]]:
        """Return the numbers of what is drawn, a row for each time, for the table beside it."""
        times = sorted({at for curve in self.drawn for at in curve.points})
        return [(at, [curve.points.get(at) for curve in self.drawn]) for at in times]


def chart(answer: Series, start_ns: int, end_ns: int, step_ns: int, threshold: float | None = None) -> Chart:
    """Return the drawing of an answer; its ground line is zero, or the least value below it.

    A curve is broken where a step has no sample: nothing is drawn that was not measured. A threshold is always inside.
    """
    finite = answer.frame.filter(answer.frame["value"].is_finite())
    values = [*finite["value"].to_list(), *([] if threshold is None else [threshold])]
    most, least = max([0.0, *values]), min([0.0, *values])
    span, height = max(end_ns - start_ns, 1), (most - least) or 1.0
    curves = []
    for number, labels in enumerate(answer.labels[:ROWS_MOST]):
        points = finite.filter(finite["series"] == number)
        held = points["value"].to_list()
        times = points["_time_ns"].to_list()
        places = [
            ((at - start_ns) * WIDTH / span, HEIGHT - (value - least) * HEIGHT / height)
            for at, value in zip(times, held, strict=True)
        ]
        name = ", ".join(f"{key}={value}" for key, value in labels.items()) or "{}"
        path = broken(places, step_ns * WIDTH / span) if number < SERIES_MOST else ""
        last, low, high = held[-1] if held else float("nan"), min(held, default=0), max(held, default=0)
        points_of = dict(zip(times, held, strict=True)) if path else {}
        curves.append(Curve(name, path, last, low, high, points_of, class_of(labels, number)))
    marked = 0.0 if threshold is None else round(HEIGHT - (threshold - least) * HEIGHT / height, 1)
    return Chart(curves, most, max(0, len(answer.labels) - ROWS_MOST), least, threshold, marked)


def number_text(value: float) -> str:
    """Return a number for people.

    >>> number_text(1234.0), number_text(0.12345), number_text(float("nan"))
    ('1,234', '0.1235', 'NaN')
    """
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"  # noqa: PLR0124  only NaN differs from itself
    return f"{int(value):,}" if value == int(value) else f"{value:,.4g}"
