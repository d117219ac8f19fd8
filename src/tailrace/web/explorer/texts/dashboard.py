"""What dashboards say."""

from __future__ import annotations

from typing import Final

START: Final = "Overview"
ALL_LINES: Final = "Lines"
ALL_ERRORS: Final = "Lines with errors"
ALL_BYTES: Final = "Bytes a second, newest 5 minutes"
BY_LEVEL: Final = "Lines by level"
BY_SERVICE: Final = "Lines by service"
BY_HOST: Final = "Lines by host"
ERRORS_BY_SERVICE: Final = "Errors by service"
NEWEST_ERRORS: Final = "Newest errors"

KINDS: Final = {
    "bars": "stacked bars",
    "curves": "curves",
    "number": "number",
    "table": "table",
    "lines": "list of lines",
}
"""How a panel may be drawn."""

WIDTHS: Final = {"third": "a third", "half": "a half", "wide": "two thirds", "full": "whole width"}

REFRESH: Final = (("0", "off"), ("10", "10 s"), ("30", "30 s"), ("60", "1 min"), ("300", "5 min"))
"""Choices of how often panels are asked again: seconds, and their name."""

COPY: Final = "{name}, copy"
UNTITLED: Final = "New dashboard"
TOO_LONG: Final = "It took too long: choose a shorter range or a narrower selector."
NO_FILE: Final = "No dashboard was given: choose a file, or paste its text."

SCRIPT: Final = {
    "dashboard": "Dashboard",
    "refreshNow": "ask all panels again",
    "refreshed": "Panels were asked again.",
    "editDashboard": "edit the dashboard, and back",
}
