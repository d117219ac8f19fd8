"""What the counts of a search say: histogram, values, fields, patterns, chart."""

from __future__ import annotations

from typing import Final

NO_LEVEL: Final = "no level"
WITHOUT: Final = "without {name}"
OTHER: Final = "{count} other"
NEW: Final = "none before"
SAME: Final = "unchanged"

GAPS: Final = {
    "outside": "outside of the range",
    "unstored": "before the first line that is stored",
    "future": "not yet",
}
"""Why a stretch of the histogram was not searched."""

COMPARED: Final = {
    "": "nothing",
    "previous": "the period before",
    "1d": "a day earlier",
    "7d": "a week earlier",
}
"""What the counts can be compared with."""

LEVEL: Final = "level"
"""How the field that a level has in queries is called here."""

WHOLE: Final = "Values of all {lines} lines."
SAMPLED: Final = "Shares in a sample: {lines} of {total} lines, from all parts of the range."
NOT_FOUND: Final = "No name or value holds {text!r}."

SCRIPT: Final = {
    "histogramName": "Counts over time: arrows go along, with Shift they select, Enter zooms in, Esc lets go",
    "histogramBars": "{first} to {last}: {count} lines",
    "histogramKey": "the counts over time",
}
