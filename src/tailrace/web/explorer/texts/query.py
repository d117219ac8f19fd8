"""What the query box says: its notes, what completion explains, and the plan of a query."""

from __future__ import annotations

from typing import Final

PLACEHOLDER: Final = 'words, key:value, "exact text", or LogQL'

STAGES: Final = {
    "json": "take the members of JSON lines as labels",
    "logfmt": "take key=value pairs of lines as labels",
    "regexp": "take named groups of a regular expression",
    "pattern": "take parts of lines by their places",
    "unpack": "take labels out of packed lines",
    "line_format": "write lines anew by a template",
    "label_format": "rename or set labels",
    "decolorize": "remove colour codes of terminals",
    "keep": "keep these labels only",
    "drop": "remove these labels",
    "unwrap": "count with the values of a label",
}
"""Keywords of stages, and what they do."""

OPERATORS: Final = {
    '|= ""': "lines with a text",
    '|~ ""': "lines that a regular expression finds",
    '!= ""': "lines without a text",
    '!~ ""': "lines that no regular expression finds",
    "| ": "a stage, or the test of a label",
}
"""What may follow a selector."""

FUNCTIONS: Final = {
    "rate": "lines per second",
    "count_over_time": "number of lines",
    "bytes_rate": "bytes of lines per second",
    "bytes_over_time": "bytes of lines",
    "absent_over_time": "1 where there is no line",
    "sum_over_time": "sum of a label's values",
    "avg_over_time": "mean of a label's values",
    "min_over_time": "least value of a label",
    "max_over_time": "greatest value of a label",
    "first_over_time": "first value of a label",
    "last_over_time": "last value of a label",
    "stddev_over_time": "standard deviation of a label's values",
    "stdvar_over_time": "variance of a label's values",
    "quantile_over_time": "quantile of a label's values",
    "rate_counter": "growth of a counter per second",
    "sum": "sum of series",
    "avg": "mean of series",
    "min": "least of series",
    "max": "greatest of series",
    "count": "number of series",
    "stddev": "standard deviation of series",
    "stdvar": "variance of series",
    "topk": "the k greatest series",
    "bottomk": "the k least series",
    "approx_topk": "the k greatest series, found faster",
    "sort": "series by value, rising",
    "sort_desc": "series by value, falling",
    "vector": "a number as a series",
    "label_replace": "set a label by a regular expression",
}
"""Functions, and what they give."""

DURATIONS: Final = {
    "1m": "a minute",
    "5m": "five minutes",
    "15m": "a quarter of an hour",
    "1h": "an hour",
    "6h": "six hours",
    "1d": "a day",
    "7d": "a week",
}

SELECT: Final = "select streams by their labels"
LABEL_OF_STREAM: Final = "label"
FIELD: Final = "field"
LEVEL: Final = "level"
VALUES: Final = "{count} values"
ONE_VALUE: Final = "1 value"
SEARCH_INSTEAD: Final = "Search lines for this text"
MORE: Final = "{count} more: type to narrow them down"
SAMPLED: Final = "Counts are of the newest {count} lines that fit."
SAMPLED_WIDE: Final = "Counts are of the newest {count} lines, those too that the query does not find."
AT_MOST: Final = "Counts with ≤ are of whole segments, of which the range has a part."

RANGE: Final = "Range:"
DEEDS: Final = "More"
"""Heads of what is folded where there is little room."""
EARLIER: Final = "earlier"
LATER: Final = "later"
ZOOM_OUT: Final = "zoom out"
REFRESH: Final = "refresh"

SHARE: Final = "{share} % of the table did not have to be read."
ENGINE: Final = "The scans ran on {engine}."
KEPT: Final = "Totals that are kept beside the table stood in for lines."
NOT_COMPLETE: Final = "The answer is not complete: see the tab of lines for why."

STEPS: Final = {
    "query": "Query",
    "time": "Time",
    "skipped": "Skipped",
    "read": "Read",
    "engine": "Engine",
    "streams": "Streams",
    "columns": "Columns",
    "pushed into the scan": "In the scan",
    "on rows": "On rows",
    "from statistics": "From statistics",
    "skipped within them": "Skipped within them",
}
"""Names of the steps of a plan."""

SCRIPT: Final = {
    "queryRunning": "running for {seconds} s",
    "queryCancelled": "Cancelled after {seconds} s; what is shown is the result before.",
    "queryOld": "The query was not run. What is shown below is the result of the one before.",
    "queryOffers": "{count} suggestions; arrow keys choose, Enter takes one, Esc closes",
    "queryOneOffer": "1 suggestion; arrow keys choose, Enter takes it, Esc closes",
    "queryNoOffer": "no suggestion",
    "queryBefore": "query before, while the query is edited",
    "queryAfter": "query after, while the query is edited",
    "queryOffer": "suggestions at the cursor, while the query is edited",
    "queryFormat": "lay the query out over lines",
    "queryTime": "times: then ← → shift the range",
    "queryEarlier": "earlier by the length of the range",
    "queryLater": "later by the length of the range",
    "queryOut": "zoom out: twice the range",
    "queryRefresh": "run the query again",
}
