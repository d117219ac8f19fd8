"""What the Files pages say."""

from __future__ import annotations

from typing import Final

TABS: Final = {
    "tree": "Tree",
    "map": "Map",
    "growth": "Growth",
    "changes": "Changes",
    "history": "History",
    "drift": "Drift",
    "timeline": "Timeline",
    "health": "Health",
}

COLUMNS: Final = {"name": "Name", "size": "Size", "files": "Files", "newest": "Last written"}
"""Columns that the tree can be sorted by, and their titles."""

KINDS: Final = {
    "dir": "folder",
    "file": "file",
    "symlink": "link",
    "fifo": "pipe",
    "socket": "socket",
    "char_device": "device",
    "block_device": "disk",
    "": "unknown",
}

AGES: Final = {
    "day": "under a day",
    "week": "under a week",
    "month": "under a month",
    "year": "under a year",
    "older": "older",
    "unknown": "no time known",
}

MOMENTS: Final = (("", "Now"), ("now-1h", "1 h ago"), ("now-24h", "1 d ago"), ("now-7d", "7 d ago"))
SPANS: Final = (("now-1h", "1 hour"), ("now-24h", "1 day"), ("now-7d", "7 days"), ("now-30d", "30 days"))

ACTIONS: Final = {
    "created": "made",
    "updated": "written",
    "deleted": "removed",
    "moved": "renamed",
    "attributes_modified": "rights changed",
    "initial_scan": "found by the first scan",
    "gap": "gap",
}

DRIFT: Final = {"new": "added", "removed": "removed", "changed": "changed", "renamed": "renamed"}

GAP: Final = "events may be missing"

NOBODY: Final = "unknown"
"""Who did it, where nobody knows."""

UNKNOWN_HOST: Final = "There is no host {host!r} with files here."
NO_PATH: Final = "Nothing is known at {path} on {host}."
NONE_THEN: Final = "No file was known at this moment: what events tell begins later."
THERE_ONCE: Final = "It was there once."
THERE_ELSE: Final = "Events tell of it at other times."
NOT_COMPLETE: Final = (
    "No state from before this moment was kept, so this shows only what the events since the first one tell."
)
GAPS: Final = "In {count} spans of time events may be missing; a new scan closes each of them."
NOT_BEFORE: Final = "The span begins after it ends."
TOO_LONG: Final = "It took too long: choose a shorter span or a folder further down."

TOO_MANY: Final = "More than {most:,} paths would be compared: choose a folder further down."
NO_FILE: Final = "Choose the file of a baseline."
NO_BASELINE_HOST: Final = "This baseline was made on {host!r}, of which no file events are stored here."
NO_BASELINE: Final = "It cannot be compared: {why}"
TOO_LARGE: Final = "The file is larger than {most:,} bytes."

SCRIPT: Final = {
    "files": "Files",
    "filesBegin": "to the tree, then its next entry",
    "filesNext": "next entry of the tree",
    "filesPrevious": "entry before",
    "filesOpen": "unfold a folder, then its first entry",
    "filesFolds": "fold a folder, or go to the one above",
    "filesFirst": "first entry",
    "filesLast": "last entry",
    "filesEnter": "go into a folder, or to the history of a file",
    "filesUp": "to the folder above",
    "filesUnfold": "Unfold {name}",
    "filesFold": "Fold {name}",
    "filesShown": "{count} entries of {name}",
}
