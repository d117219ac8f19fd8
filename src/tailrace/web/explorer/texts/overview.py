"""What the counts of a search say: histogram, values, fields, patterns, chart."""

from __future__ import annotations

from typing import Final

NO_LEVEL: Final = "no level"
WITHOUT: Final = "without {name}"
OTHER: Final = "{count} other"
NEW: Final = "none before"
PARTLY: Final = "the beginning of it is not stored"
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
"""How what queries call `detected_level` is called here; a field of this name gets a word with it."""
FIELD: Final = "{name} (field)"

WHOLE: Final = "Values of all {lines} lines."
SAMPLED: Final = "Shares in a sample: {lines} of {total} lines, from all parts of the range."
COUNTED_LABELS: Final = "Labels are counted over all lines."
UNUSUAL: Final = "Unusual, compared with {before}"
USUAL: Final = "No value of a field is much more or less frequent than in {before}."
FIND_UNUSUAL: Final = "Find values that are unusual, compared with the period before"
HIDDEN: Final = "These lines were stored as they came. A parser in the query makes fields of what they hold:"
TYPES: Final = {
    "label": "label",
    "number": "number",
    "boolean": "true or false",
    "duration": "duration",
    "bytes": "size",
    "text": "text",
}

MINED: Final = "Made from all {lines} lines."
MINED_SAMPLE: Final = "Estimated from {lines} of {total} lines, from all parts of the range."
UNLIKE: Final = "{lines} lines are like no others and were left out."
FIND_NEW: Final = "What is new, gone, or of another rate than in the period before?"
RATES: Final = "Rates are compared with those of {before}; fewer than ten lines, errors aside, count as chance."
UNSTORED: Final = "Nothing is stored of {before}, so nothing can be told to be new."
NO_PATTERNS: Final = "No line fits, so there are no patterns."
CHANGES: Final = {
    "new": "new",
    "gone": "gone",
    "more": "{factor} times as many",
    "less": "{factor} times fewer",
}

STATS: Final = {
    "count": "lines",
    "rate": "lines per second",
    "bytes": "bytes of lines",
    "avg": "average",
    "sum": "sum",
    "min": "least",
    "max": "most",
    "p50": "median",
    "p95": "95th percentile",
    "p99": "99th percentile",
}
"""What a chart can show of lines, then of a field."""
NO_FIELD: Final = "the {stat} of which field?"
NO_FIELD_HINT: Final = "fill in the field, as in duration_ms; duration(took) and bytes(size) read units"

NO_VALUES: Final = "No line fits, so there are no values."
NOT_FOUND: Final = "No name or value holds {text!r}."

SCRIPT: Final = {
    "histogramName": "Counts over time: arrows go along, with Shift they select, Enter zooms in, Esc lets go",
    "histogramBars": "{first} to {last}  {count} lines",
    "histogramKey": "the counts over time; arrow keys go along, Enter zooms in",
    "resultTab": "tab: {name}",
    "railFound": "{count} labels and fields",
}
