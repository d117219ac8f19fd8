"""Forget what queries remember of segments, so that the next one scans: else one engine is given another's answers."""

from __future__ import annotations

from tailrace.query import formats, newest, remembered


def forget() -> None:
    for known in (remembered._known, formats._known, newest._known):
        known.clear()
    remembered._held = 0
