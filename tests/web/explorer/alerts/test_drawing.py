"""A rule's numbers as a drawing."""

from __future__ import annotations

import polars as pl
import pytest

from tailrace.alerts.backtest.replay import Incident
from tailrace.web.explorer.alerts.drawing import COLUMNS, drawing

MINUTE = 60 * 10**9


def samples(*rows: tuple[int, str, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(at * MINUTE, key, value) for at, key, value in rows],
        schema={"_time_ns": pl.Int64, "key": pl.String, "value": pl.Float64},
        orient="row",
    )


def test_a_line_its_threshold_and_when_it_fired() -> None:
    times = range(0, 4 * MINUTE + 1, MINUTE)
    incident = Incident("{}", 2 * MINUTE, 2 * MINUTE, 3 * MINUTE, 10.0)
    drawn = drawing(samples((0, "{}", 0), (1, "{}", 5), (2, "{}", 10), (4, "{}", 2)), times, ">", 5.0, [incident])
    # from 0 to 10 with 8 % of air is 10.8, the next number of two digits 11, so 5 lies at 200 - 5 * 200 / 11 = 109.1
    assert drawn.top == pytest.approx(11)
    assert drawn.threshold_y == pytest.approx(109.1, abs=0.05)
    assert drawn.curves[0].path == "M0,200h0L250,109.1L500,18.18M1000,163.6h0"  # broken where nothing was
    assert drawn.bands == [(500.0, 250.0)]
    assert drawn.extreme == (2 * MINUTE, 10.0)
    assert drawn.rows == [(0, 0.0), (MINUTE, 5.0), (2 * MINUTE, 10.0), (3 * MINUTE, None), (4 * MINUTE, 2.0)]


def test_what_fires_at_once_is_one_band() -> None:
    spans = ((0, 1), (3, 4), (2, 3), (4, None))
    incidents = [Incident("{}", 0, first * MINUTE, last and last * MINUTE, 1.0) for first, last in spans]
    drawn = drawing(samples((0, "{}", 1)), range(0, 8 * MINUTE + 1, MINUTE), ">", 5.0, incidents)
    assert drawn.bands == [(0.0, 125.0), (250.0, 750.0)]


def test_a_point_that_crossed_the_threshold_is_never_summed_away() -> None:
    count = 10 * COLUMNS
    values = [0.0] * count
    values[1234] = 99.0
    times = range(0, count * MINUTE, MINUTE)
    above = drawing(samples(*[(at, "{}", value) for at, value in enumerate(values)]), times, ">", 50.0)
    assert above.extreme == (1234 * MINUTE, 99.0)
    assert above.curves[0].path.count(",") == COLUMNS
    assert max(value for _, value in above.rows if value is not None) == 99.0
    below = drawing(samples(*[(at, "{}", 99.0 - value) for at, value in enumerate(values)]), times, "<", 50.0)
    assert min(value for _, value in below.rows if value is not None) == 0.0


def test_the_series_nearest_to_firing_are_drawn() -> None:
    rows = [(0, f'{{host="{number:02d}"}}', float(number)) for number in range(20)]
    above = drawing(samples(*rows), range(0, MINUTE + 1, MINUTE), ">", 50.0)
    assert [one.most for one in above.curves] == [19.0, 18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0]
    assert above.left_out == 12
    below = drawing(samples(*rows), range(0, MINUTE + 1, MINUTE), "<=", 0.0)
    assert [one.least for one in below.curves][:2] == [0.0, 1.0]


def test_silence_of_a_count_is_drawn_as_zero_from_its_first_sample_on() -> None:
    drawn = drawing(samples((1, "{}", 4), (3, "{}", 4)), range(0, 3 * MINUTE + 1, MINUTE), ">", 9.0, silent=0.0)
    assert drawn.rows == [(0, None), (MINUTE, 4.0), (2 * MINUTE, 0.0), (3 * MINUTE, 4.0)]
    assert (drawn.curves[0].least, drawn.curves[0].last) == (0.0, 4.0)
    assert drawn.curves[0].path.count("M") == 1


def test_nothing_measured_is_an_empty_drawing() -> None:
    drawn = drawing(samples(), range(0, MINUTE + 1, MINUTE), ">", 5.0)
    assert drawn.curves == []
    assert drawn.extreme is None
    assert [value for _, value in drawn.rows] == [None, None]
    odd = drawing(samples((0, "{}", float("nan")), (1, "{}", float("inf"))), range(0, MINUTE + 1, MINUTE), "", 0.0)
    assert odd.curves == []
    assert odd.threshold_y is None
