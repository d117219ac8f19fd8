"""The time of events rises, whatever clock they have."""

import polars as pl
import pytest

from tailrace.reduce.traceleft.clock import EventClock, moment

S = 1_000_000_000


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        ([1, 2, 2, 5], [1, 2, 2, 5]),
        ([5, 4, 6], [5, 5, 6]),  # another processor's clock
        ([9_000, 3, 2, 4], [9_000, 3, 3, 4]),  # started again
        ([9_000, 8_400, 8_399, 8_398], [9_000, 9_000, 8_399, 8_399]),
    ],
)
def test_steps_back(seconds, want):
    for cut in range(len(seconds) + 1):
        clock = EventClock()
        parts = [
            pl.DataFrame({"timestamp": part, "_time_ns": part}) * S for part in (seconds[:cut], seconds[cut:]) if part
        ]
        assert [time for part in parts for time in clock.rising(part)] == [each * S for each in want]


def test_an_event_without_a_time_stamp_has_the_time_of_its_row():
    frame = pl.DataFrame({"timestamp": [7, None], "_time_ns": [1, 9]})
    assert EventClock().rising(frame).to_list() == [7, 9]


@pytest.mark.parametrize(
    ("row", "want"),
    [
        ({}, 5),
        ({"timestamp": None}, 5),
        ({"timestamp": 1_790_000_000 * S}, 1_790_000_000 * S),
        ({"timestamp": 123 * S}, 9),  # since the machine was started
        ({"timestamp": 2**63 + 1}, 9),
    ],
)
def test_an_alert_has_a_moment_since_the_epoch(row, want):
    assert moment(pl.DataFrame([{"_time_ns": 5, "_observed_ns": 9, **row}])) == want
