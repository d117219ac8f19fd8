"""The usual logs of a machine: what Tailrace follows when nobody names anything."""

from __future__ import annotations

from typing import Final

from tailrace.sources.tail.settings import TailSettings

PATHS: Final = (
    "/var/log",
    "/var/lib/docker/containers/*/*-json.log",
)
"""Folders and patterns; those that are not there or not readable are said at the start, and cost nothing."""

EXCLUDE: Final = (
    "/var/log/journal/**",  # the journal's own binary files
    "/var/log/sa/**",  # binary statistics of sysstat
    "/var/log/sysstat/**",
    "*.journal",
    "*.gz",
    "*.xz",
    "*.bz2",
    "*.zst",
    "wtmp*",  # login records, binary
    "btmp*",
    "lastlog*",
    "faillog*",
    "tallylog*",
)
"""What lies there and holds no lines of text."""


def usual_logs() -> tuple[TailSettings, ...]:
    """Return one source that follows `/var/log` and the logs of containers."""
    return (TailSettings(paths=PATHS, exclude=EXCLUDE),)
