"""What saved searches and shared addresses say."""

from __future__ import annotations

from typing import Final

from tailrace.web.explorer.texts.search import ERRORS, EVERYTHING

TITLE: Final = "Saved searches"
NOT_FOUND: Final = "There is no saved search {number}. Somebody may have deleted it."
NO_LINK: Final = "There is no short link {key}."
NOT_YOURS: Final = (
    "This search belongs to {owner}: to change it takes a token with the scope admin. You can save a copy."
)
NOTHING_FOUND: Final = "No saved search has “{text}” in its name, description, owner or query."
UNKNOWN_NAME: Final = "saved search {number}"

STARTERS: Final = (
    (
        "Errors of the last hour",
        "Every line of level error or worse, newest first.",
        {"q": ERRORS, "from": "now-1h"},
    ),
    (
        "Who logs most",
        "Lines of each service over the last day, split in the histogram.",
        {"q": EVERYTHING, "from": "now-24h", "by": "service_name"},
    ),
    (
        "Timeouts and refused connections",
        "Lines of the last day that speak of something that could not be reached.",
        {"q": EVERYTHING + ' |~ "(?i)(timed? ?out|refused|unreachable|no route)"', "from": "now-24h"},
    ),
)
"""Searches to begin with where nobody has saved any: name, description, parameters."""

SCRIPT: Final = {
    "saveSearch": "save this search",
    "shareSearch": "share what is shown",
    "exportSearch": "export the lines",
    "savedSearches": "saved searches",
}
