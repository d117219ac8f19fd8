"""What the page says, in one place."""

from __future__ import annotations

from typing import Final

NO_LINES: Final = "a metric query gives numbers and no lines, so there is nothing of lines to show"
EVERYTHING: Final = '{service_name=~".+"}'
"""The query of someone who has typed none yet: every stream has a service."""

ERRORS: Final = EVERYTHING + ' | detected_level=~"error|critical|fatal"'
"""The query for what went wrong, whoever logged it."""

RANGES: Final = (
    ("now-5m", "5 min"),
    ("now-15m", "15 min"),
    ("now-1h", "1 hour"),
    ("now-6h", "6 hours"),
    ("now-24h", "24 hours"),
    ("now-7d", "7 days"),
    ("now-30d", "30 days"),
)
"""Choices of range: the value of `from`, and its name."""

NO_LEVEL: Final = "none"
"""How a line without a level is called."""

WIDENED: Final = "Nothing was logged in the last hour, so this shows {range}: the newest lines are there."
LAST: Final = "the last {name}"
ANOTHER_HOUR: Final = "an hour of another time"
EMPTY_TABLE: Final = "No lines are stored yet. They appear here within two seconds of being written."
NOTHING: Final = "No line fits between {start} and {end}. {rows} rows were searched."
NEAREST: Final = "The nearest line that fits is {where}, at {time}."
NOWHERE: Final = "No line at any other time fits either."
EARLIER: Final = "earlier"
LATER: Final = "later"
NO_MORE_OLDER: Final = "oldest line of the range"
TABS: Final = {
    "lines": "Lines",
    "patterns": "Patterns",
    "fields": "Fields",
    "chart": "Chart",
    "explain": "Explain",
}
"""What of a result can be looked at."""

NOT_OFFERED: Final = "the database of saved searches did not answer"
COUNT_FAILED: Final = "The counts are missing: {why}"

SCRIPT: Final = {
    "search": "Search",
    "lines": "Lines",
    "editQuery": "edit the query; Enter runs it, Alt+Enter breaks its line",
    "nextLine": "next line (or ↓ in the list); Enter opens it, Esc closes it",
    "previousLine": "line before (or ↑ in the list)",
}
