"""What the sources of an agent count beside lines, and how far behind they are, as metrics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tailrace.agent.lag import Late
    from tailrace.agent.running import Agent
    from tailrace.telemetry import Accounts, Sample

_COUNTED: Final = {
    "possibly_lost_bytes": "Bytes that a program cut off or deleted before they could be read.",
    "nul_bytes_skipped": "NUL bytes of holes that were left out.",
    "damaged_bytes": "Bytes of compressed files that cannot be decompressed.",
    "open_files": "Files that are open for reading.",
    "restarts": "Programs that a source reads from and that had to be started again.",
    "polled_folders": "Folders without events, listed again and again: network file systems, or no watches are left.",
    "unreadable_files": "Files and folders that cannot be read, or are not followed for a reason.",
    "rotations": "Files that took over the name of one that was rotated away.",
    "truncations": "Files whose content was cut short or replaced in place.",
    "queue": "File events that wait in the kernel.",
    "overflows": "Times that the kernel's queue of file events ran over, or was given up for its size.",
    "gaps": "Spans of time in which file events may have been missed.",
    "open_gaps": "Gaps of file events that a walk has not closed yet.",
    "unknown_who": "File events whose process nobody knows any more.",
    "events_fanotify": "File events learned by fanotify.",
    "events_inotify": "File events learned by inotify.",
    "events_poll": "File events learned by polling.",
    "events_scan": "Differences found by walking: baselines, gaps, what was moved in.",
    "lost_events": "Traced system calls that found no room on their way out of the kernel.",
    "pods": "Pods of which labels and annotations are known.",
    "pod_failures": "Failed attempts to learn about pods from the API server or the file of pods.",
}


def register(agent: Agent, accounts: Accounts, late: Callable[[], Sequence[Late]]) -> None:
    """Register what sources count that is no line, and how far behind they are."""

    def counted(name: str) -> list[Sample]:
        found = [(source.name, source.counters) for source in agent.sources()]
        return [({"source": source}, counters[name]) for source, counters in found if name in counters]

    def behind(unit: Literal["bytes", "seconds"]) -> list[Sample]:
        return [({"source": one.source}, getattr(one, unit)) for one in late()]

    for name, text in _COUNTED.items():
        accounts.gauge(f"tailrace_{name}", text, partial(counted, name))
    text = "Bytes in files and on their way that are not durable yet."
    accounts.gauge("tailrace_lag_bytes", text, partial(behind, "bytes"))
    text = "Seconds since the oldest of these bytes was read, or was first seen waiting."
    accounts.gauge("tailrace_lag_seconds", text, partial(behind, "seconds"))
