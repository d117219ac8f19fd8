"""What the list of lines, the panel of a line and its surroundings say."""

from __future__ import annotations

from typing import Final

MODES: Final = (
    ("line", "Line", "one line each"),
    ("wrap", "Wrap", "long lines wrapped"),
    ("json", "JSON", "lines with all their fields, as JSON"),
    ("table", "Table", "a table with columns of your choice"),
)
"""Value of `mode`, its name, and what it is."""

CUT_BEFORE: Final = "… {count:,} characters … "
CUT_AFTER: Final = " … {count:,} characters more"

PANEL: Final = "Panel of a line"
NO_LINE: Final = "This line is not here"
GONE: Final = (
    "No stored line has this address. It may have been deleted, or be older than what is kept; "
    "merging and moving the table do not change addresses."
)
BAD_ADDRESS: Final = "This is not the address of a line"
NO_LABEL_TITLE: Final = "No lines have this label"
NO_LABEL: Final = "no stream has the label {name}={value!r}"

KINDS: Final = (
    ("stream", "Stream labels", "stream"),
    ("fields", "Fields", "field"),
    ("parsed", "Parsed by the query", "field"),
)
"""Groups of a line's labels: attribute of the row, title, and what a click makes of one."""

WAYS: Final = {"file": "In the same file", "stream": "In the same stream", "host": "On the whole host, by time"}
READ_AFTER: Final = "{seconds} s after its time"
READ_BEFORE: Final = "{seconds} s before its time"
LATE: Final = "late"
ARRIVED: Final = "{count} more came in since, {late} of them late:"
ARRIVED_NONE_LATE: Final = "{count} more came in since:"
ARRIVED_MANY: Final = "Many more came in since:"

SCRIPT: Final = {
    "rowPanel": PANEL,
    "keepValue": "keep only lines with the value in focus, or of this source",
    "dropValue": "leave out lines with the value in focus, or of this source",
    "showContext": "lines around this one",
    "copyLine": "copy the line",
    "copyLink": "copy a link to the line",
    "linesLoaded": "{count} lines are shown, from {from} to {to}",
    "loadFailed": "These lines could not be loaded: {why}",
    "again": "Try again",
    "firstLine": "newest line (in the list)",
    "lastLine": "oldest line (in the list)",
    "pageDown": "some lines on (in the list)",
    "pageUp": "some lines back (in the list)",
}
