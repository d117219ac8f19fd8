"""A metric query's answer on the page: lines over time in one drawing, and the same numbers as a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final

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


@dataclass(frozen=True, slots=True)
class Chart:
    """All series; those that are drawn come first."""

    curves: list[Curve]
    most: float
    left_out: int


def chart(answer: Series, start_ns: int, end_ns: int, step_ns: int) -> Chart:
    """Return the drawing of an answer; its ground line is zero, or the least value below it.

    A curve is broken where a step has no sample: nothing is drawn that was not measured.
    """
    finite = answer.frame.filter(answer.frame["value"].is_finite())
    values = finite["value"]
    most = max([0.0, *values.to_list()], default=0.0)
    least = min([0.0, *values.to_list()], default=0.0)
    span, height = max(end_ns - start_ns, 1), (most - least) or 1.0
    curves = []
    for number, labels in enumerate(answer.labels[:ROWS_MOST]):
        points = finite.filter(finite["series"] == number)
        held = points["value"].to_list()
        times = points["_time_ns"].to_list()
        pieces = []
        for at, before, value in zip(times, [None, *times], held, strict=False):
            joined = before is not None and at - before <= step_ns
            place = f"{(at - start_ns) * WIDTH / span:.1f},{HEIGHT - (value - least) * HEIGHT / height:.1f}"
            pieces.append(f"L{place}" if joined else f"M{place}h0")  # `h0` is a dot, should nothing follow
        name = ", ".join(f"{key}={value}" for key, value in labels.items()) or "{}"
        path = "".join(pieces) if number < SERIES_MOST else ""
        curves.append(Curve(name, path, held[-1] if held else float("nan"), min(held, default=0), max(held, default=0)))
    return Chart(curves, most, max(0, len(answer.labels) - ROWS_MOST))


def number_text(value: float) -> str:
    """Return a number for people.

    >>> number_text(1234.0), number_text(0.12345), number_text(float("nan"))
    ('1,234', '0.1235', 'NaN')
    """
    if not isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"  # noqa: PLR0124  only NaN differs from itself
    return f"{int(value):,}" if value == int(value) else f"{value:,.4g}"
