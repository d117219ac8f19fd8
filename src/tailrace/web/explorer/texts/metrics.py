"""What metrics say."""

from __future__ import annotations

from typing import Final

TOO_LONG: Final = "its values took too long"
NO_NAME: Final = "the metric has no name that it could have"
NO_NAME_HINT: Final = "letters, digits and _ : . -, beginning with a letter, as in errors_by_host"

STATISTICS: Final = {
    "count": "number of lines",
    "distinct": "number of different values",
    "sum": "sum",
    "rate": "sum a second",
    "avg": "average",
    "min": "least",
    "max": "greatest",
    "first": "first",
    "last": "last",
    "stddev": "standard deviation",
    "stdvar": "variance",
    "median": "median",
    "p99": "99th percentile",
}
"""What can be measured, in words."""

STATES: Final = {
    "kept": ("kept", "good"),
    "filling": ("filling in", "warn"),
    "failing": ("failing", "bad"),
    "new": ("new", ""),
}
"""How the numbers of a metric are kept: a word, and the kind of its badge."""

BACKFILLS: Final = (("1h", "1 hour"), ("1d", "1 day"), ("7d", "7 days"), ("30d", "30 days"), ("", "all lines"))

RANGES: Final = (
    ("", "newest"),
    ("now-1h", "1 hour"),
    ("now-6h", "6 hours"),
    ("now-24h", "24 hours"),
    ("now-7d", "7 days"),
)

SCRIPT: Final = {
    "metrics": "Metrics",
    "newMetric": "make a metric",
    "chartKeys": "{name}: the arrow keys read its values",
}
