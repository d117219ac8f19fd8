"""What exports say."""

from __future__ import annotations

from typing import Final

FORMS: Final = (
    ("jsonl", "JSON lines", "one object a line: time, labels, line, fields"),
    ("csv", "CSV", "a table for spreadsheets; times as text, to the nanosecond"),
    ("parquet", "Parquet", "a table for programs; times as timestamps"),
    ("raw", "Plain text", "nothing but the lines as they were logged"),
)
GUARDS: Final = (
    ("1", "on: a ' in front of cells that begin with = + - @, tab or CR"),
    ("0", "off: cells as they are"),
)

SCRIPT: Final = {
    "exportWaiting": "Waiting for its turn…",
    "exportLooking": "Looking for the columns that the lines need…",
    "exportSending": "{rows} rows, {size} MB by now…",
    "exportDone": "Done: {rows} rows, {size} MB, complete.",
    "exportFailed": "It failed: {why}. The file is not complete.",
    "exportCancelled": "Cancelled. The file is not complete.",
    "exportUnknown": "The browser loads the file; the server does not tell how far it is.",
}
