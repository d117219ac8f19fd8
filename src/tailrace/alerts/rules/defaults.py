"""The default set: what is worth counting of access logs, and one alert on it, made by one command.

The numbers are those of the exercise that many monitors of access logs began as: what the most visited sections are,
every ten seconds, and an alert while there were more than ten requests a second over the last two minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tailrace.rollups.forms import SECTION, Form

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUESTS: Final = '| method!=""'
"""Lines that tell of a request."""

METRICS: Final[Mapping[str, Form]] = {
    "traffic": Form("count", period_s=1, filter=REQUESTS),
    "sections": Form("count", period_s=10, segment=SECTION),
    "statuses": Form("count", period_s=10, segment="status", filter=REQUESTS),
    "bytes": Form("sum", "bytes", period_s=10, filter=REQUESTS),
}
"""Metrics by name."""

ALERT: Final = "totaltraffic"
ALERT_METRIC: Final = "traffic"
ALERT_LEVEL: Final = 10.0
ALERT_WINDOW_S: Final = 120
ALERT_PERIOD_S: Final = 10
