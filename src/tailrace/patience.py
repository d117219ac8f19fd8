"""How long a failure that may pass is waited for: a full disk above all.

One `Patience` is shared by all that write for one program. While it lasts, whoever failed tries again with growing
pauses; it ends when the program is asked to stop (`hurry`), or after `limit_s` of one failure: a program that runs
for good waits until there is space again, a one-shot import would only look as if it hung.
"""

from __future__ import annotations

import random
import threading
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.clock import Clock

BACK_OFF_S: Final = (0.1, 10.0)
"""First and longest pause between two attempts; each pause is twice the last, less up to half at random."""

LAST_ATTEMPTS: Final = 3
"""Attempts that are still made once there is hurry."""


class Patience:
    """Shared by threads; `limit_s` is None to wait for ever."""

    def __init__(self, clock: Clock, limit_s: float | None = None, *, like: Patience | None = None) -> None:
        self._clock = clock
        self._limit_s = float("inf") if limit_s is None else limit_s
        self._hurried: threading.Event = threading.Event() if like is None else like._hurried  # noqa: SLF001  of the same class

    def endless(self) -> Patience:
        """Return one without a limit that is hurried together with this one: for receivers that come back."""
        return Patience(self._clock, like=self)

    @property
    def hurried(self) -> bool:
        """Whether the program is to stop."""
        return self._hurried.is_set()

    def hurry(self) -> None:
        """End all waiting, for good: what fails now gets a few more attempts, without pauses."""
        self._hurried.set()

    def pauses(self) -> Iterator[float]:
        """Yield the pause after each attempt at one thing, until there should be no further attempt."""
        pause_s, longest_s = BACK_OFF_S
        attempts_left = LAST_ATTEMPTS
        started_s = self._clock.monotonic_s()
        while attempts_left and self._clock.monotonic_s() - started_s <= self._limit_s:
            yield pause_s * random.uniform(0.5, 1.0)  # noqa: S311  spreads writers, hides nothing
            pause_s = min(pause_s * 2, longest_s)
            attempts_left -= self._hurried.is_set()

    def wait(self, pause_s: float) -> None:
        """Wait between two attempts."""
        self._clock.wait(self._hurried, pause_s)


def asked_s(text: str, now_s: float | None) -> float | None:
    """Return for how many seconds a `Retry-After` asks not to be called; None where it asks for nothing.

    It is a number of seconds or a date, which is counted from `now_s`, in seconds since 1970.
    """
    if text.isascii() and text.isdigit():
        return float(text[:10])
    when_s = date_s(text)
    return None if when_s is None or now_s is None else max(when_s - now_s, 0.0)


def date_s(text: str) -> float | None:
    """Return the moment of a date as HTTP writes it, in seconds since 1970; None if it is none."""
    try:
        when = parsedate_to_datetime(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
