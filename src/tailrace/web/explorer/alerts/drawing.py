"""Numbers of a rule over time as a drawing: lines, its threshold, and when it fired; and the same as a table. Pure.

Comes in: samples at windows (`_time_ns`, `key`, `value`), as a back-test reads them. Goes out: paths in units of the
drawing. Where there are more windows than columns, each column has the value that is nearest to firing: nothing that
crossed the threshold is lost. All series are summed up in columns, none is walked over but the few that are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.web.explorer.shapes.lines import broken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.alerts.backtest.replay import Incident

WIDTH: Final = 1_000
HEIGHT: Final = 200
COLUMNS: Final = 400
"""Points of a line at most: more would not be seen."""
SERIES: Final = 8
"""Series that are drawn: those nearest to firing."""
ROWS: Final = 24
"""Rows of the table that says the same as the drawing."""
_BELOW: Final = frozenset({"<", "<="})
_LEAST_WIDTH: Final = 2.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One series: its labels as text, its path, and its numbers."""

    name: str
    path: str
    last: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that is drawn, in units of the drawing, and the numbers of its table."""

    curves: list[Curve]
    left_out: int  # series that are not drawn
    top: float  # value at the upper edge
    bottom: float
    threshold_y: float | None
    threshold: float
    bands: list[tuple[float, float]]  # from where, how wide: it fires
    rows: list[tuple[int, float | None]]  # time, and the value that is nearest to firing
    extreme: tuple[int, float] | None  # of all: the window and value nearest to firing


def drawing(
    samples: pl.DataFrame,
    times: range,
    op: str,
    threshold: float,
    incidents: Sequence[Incident] = (),
    silent: float | None = None,
) -> Drawing:
    """Return the drawing of a rule's numbers; without an operator there is no threshold.

    `silent` is the value of a series that is not there, where that is a number, as of what counts lines.
    """
    measured = samples.filter(pl.col("value").is_finite())
    nearest = pl.col("value").min() if op in _BELOW else pl.col("value").max()
    ranked = (
        measured.group_by("key").agg(nearest=nearest).sort(["nearest", "key"], descending=[op not in _BELOW, False])
    )
    keys = ranked.head(SERIES)["key"]
    finite = _filled(measured.filter(pl.col("key").is_in(keys.implode())), times, silent)
    per_series = finite.group_by("key").agg(
        least=pl.col("value").min(), most=pl.col("value").max(), last=pl.col("value").sort_by("_time_ns").last()
    )
    shown = ranked.head(SERIES).join(per_series, on="key", maintain_order="left")
    span = max(times[-1] - times[0], 1)
    step = times.step * max(1, -(-len(times) // COLUMNS))
    top, bottom = _edges(per_series, threshold if op else None)

    def x(at_ns: int) -> float:
        return (at_ns - times[0]) * WIDTH / span

    def y(value: float) -> float:
        return HEIGHT - (value - bottom) * HEIGHT / (top - bottom)

    columns = (
        finite.with_columns(at=(pl.col("_time_ns") - times[0]) // step * step + times[0])
        .group_by("key", "at").agg(value=nearest).sort("key", "at")
    )  # fmt: skip
    by_key = {str(key[0]): part for key, part in columns.partition_by("key", as_dict=True).items()}
    curves = [
        Curve(key, broken([(x(at), y(value)) for at, value in by_key[key].select("at", "value").iter_rows()],
                         step * WIDTH / span), last, least, most)
        for key, _, least, most, last in shown.iter_rows()
    ]  # fmt: skip
    return Drawing(
        curves,
        ranked.height - shown.height,
        top,
        bottom,
        y(threshold) if op and isfinite(threshold) else None,
        threshold,
        [_band(x(start), x(end)) for start, end in _together(incidents, times[-1])],
        _rows(finite, times, nearest),
        _extreme(finite, op),
    )


def _filled(finite: pl.DataFrame, times: range, silent: float | None) -> pl.DataFrame:
    """Return samples with those of silence among them, from the first sample of each series on."""
    if silent is None or finite.is_empty():
        return finite
    every = pl.DataFrame({"_time_ns": pl.int_range(times.start, times.stop, times.step, eager=True)})
    first = finite.group_by("key").agg(first=pl.col("_time_ns").min())
    cells = every.join(first, how="cross").filter(pl.col("_time_ns") >= pl.col("first")).drop("first")
    return cells.join(finite, on=["_time_ns", "key"], how="left").with_columns(pl.col("value").fill_null(silent))


def _edges(per_series: pl.DataFrame, threshold: float | None) -> tuple[float, float]:
    """Return the values at the upper and lower edge: everything fits, zero and the threshold too, with some air."""
    held = [0.0, *per_series["least"].to_list(), *per_series["most"].to_list()]
    held += [threshold] if threshold is not None and isfinite(threshold) else []
    top, bottom = max(held), min(held)
    air = (top - bottom or 1.0) * 0.08
    return _rounded_up(top + air), bottom - air if bottom < 0 else bottom


def _rounded_up(value: float) -> float:
    """Return the next number of two digits: it stands at the edge, and is read.

    >>> _rounded_up(10.8), _rounded_up(195.5), _rounded_up(0.0181), _rounded_up(0.0)
    (11.0, 200.0, 0.019, 0.0)
    """
    if value <= 0:
        return value
    digits = 1 - floor(log10(value))
    return ceil(round(value * 10.0**digits, 9)) / 10.0**digits


def _together(incidents: Sequence[Incident], end_ns: int) -> list[tuple[int, int]]:
    """Return the spans in which anything fires, each once however many do."""
    spans = list[tuple[int, int]]()
    for start, end in sorted((one.from_ns, end_ns if one.to_ns is None else one.to_ns) for one in incidents):
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def _band(start: float, end: float) -> tuple[float, float]:
    return round(max(0.0, min(start, WIDTH - _LEAST_WIDTH)), 1), round(max(_LEAST_WIDTH, end - start), 1)


def _rows(finite: pl.DataFrame, times: range, nearest: pl.Expr) -> list[tuple[int, float | None]]:
    size = times.step * max(1, -(-len(times) // ROWS))
    held = finite.group_by(at=(pl.col("_time_ns") - times[0]) // size * size + times[0]).agg(value=nearest)
    values = dict(held.select("at", "value").iter_rows())
    return [(at, values.get(at)) for at in range(times[0], times[-1] + 1, size)]


def _extreme(finite: pl.DataFrame, op: str) -> tuple[int, float] | None:
    if finite.is_empty():
        return None
    found = finite.sort(["value", "_time_ns"], descending=[op not in _BELOW, False]).row(0, named=True)
    return int(found["_time_ns"]), float(found["value"])
