"""How long a failure is waited for."""

from __future__ import annotations

from itertools import islice

import pytest

from tailrace.clock import ManualClock
from tailrace.patience import BACK_OFF_S, LAST_ATTEMPTS, Patience, asked_s


def test_pauses_grow_to_the_longest_and_never_end() -> None:
    pauses = list(islice(Patience(ManualClock()).pauses(), 50))
    first, longest = BACK_OFF_S
    assert first / 2 <= pauses[0] <= first
    assert first <= pauses[1] <= first * 2
    assert all(longest / 2 <= pause <= longest for pause in pauses[7:])
    assert len(pauses) == 50


def test_a_limit_ends_them() -> None:
    clock = ManualClock()
    patience = Patience(clock, 30.0)
    for pause_s in patience.pauses():
        patience.wait(pause_s)
    assert 30.0 < clock.monotonic_s() <= 40.0


def test_hurry_leaves_a_few_attempts_and_no_waiting() -> None:
    clock = ManualClock()
    patience = Patience(clock)
    pauses = patience.pauses()
    next(pauses)
    patience.hurry()
    patience.wait(10.0)
    assert clock.monotonic_s() == 0
    assert len(list(pauses)) == LAST_ATTEMPTS - 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:00:30 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:00:05 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 +99999999999999", None),
        ("soon", None),
        ("-5", None),
        ("٧", None),
        ("", None),
    ],
)
def test_a_receiver_asks_for_seconds_or_until_a_date(text: str, seconds: float | None) -> None:
    assert asked_s(text, 10.0) == seconds
