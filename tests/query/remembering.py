"""Forget what queries remember of segments, so that the next one scans: else one engine is given another's answers."""

from __future__ import annotations

from tailrace.query import formats, newest, remembered, ticks


def forget() -> None:
    for totals in (remembered._totals, ticks._totals):
        totals.clear()
    for known in (formats._known, newest._known):
        known.clear()
