"""What the pipeline and the status say."""

from __future__ import annotations

from typing import Final

NOTED: Final = {
    "rotations": "rotations",
    "truncations": "truncations",
    "possibly_lost_bytes": "bytes possibly lost: cut off or deleted before they could be read",
    "damaged_bytes": "bytes of compressed files that cannot be decompressed",
    "nul_bytes_skipped": "NUL bytes of holes left out",
    "unreadable_files": "files or folders that cannot be read, or are not followed for a reason",
    "polled_folders": "folders without events, listed again and again",
    "open_files": "files open",
    "restarts": "restarts of the program that is read from",
    "queue": "file events waiting in the kernel",
    "overflows": "overflows of the kernel's queue",
    "gaps": "gaps in file events",
    "open_gaps": "gaps that no walk has closed yet",
    "unknown_who": "file events of processes nobody knows any more",
    "lost_events": "traced calls lost on their way out of the kernel",
    "pod_failures": "failed attempts to learn about pods",
}
"""What sources count beside lines."""

WORDS: Final = {
    "intake_refused_total": "refused",
    "intake_repeated_total": "repeated, stored once",
    "connections_closed_total": "connections closed",
    "push_refused_total": "refused",
    "sink_spool_bytes": "bytes in the spool",
    "ship_queue_bytes": "bytes in the queue",
    "ship_requests_total": "requests",
}
"""What sinks and receivers count, where a metric has no word of its own for it."""

STATES: Final = {
    "following": "following",
    "idle": "idle: nothing new",
    "finished": "finished: read to its end, and no more will come",
    "unreadable": "not read",
}
"""What a followed file does."""
