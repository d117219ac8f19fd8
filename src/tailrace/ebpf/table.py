"""What is known of processes over time: a pure table, told of forks, execs and exits, asked who an id was.

Comes in: `Process` values as they begin, ends, and questions. Goes out: the process that had an id at a time. A process
that ended, or runs another program since, is forgotten `KEEP_S` later: events of it may still wait to be resolved.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tailrace.clock import NS_PER_S

if TYPE_CHECKING:
    from tailrace.ebpf.processes import Process

KEEP_S: Final = 30.0
"""Time for which a process is remembered after its end."""

EARLY_NS: Final = NS_PER_S
"""An event may be told a little before the process that made it: their clocks are read one after the other."""


class ProcessTable:
    """Processes by id, each id with what it was one after the other."""

    def __init__(self) -> None:
        self._images: dict[int, list[Process]] = {}  # oldest first
        self._ended: dict[int, int] = {}  # ids without a living process, with the time of the end
        self._old: deque[tuple[int, int, int]] = deque()  # when it ended, id, when it began

    def __len__(self) -> int:
        return len(self._images)

    def begin(self, process: Process) -> None:
        """Take a process that was made, or that runs a program from now on."""
        images = self._images.setdefault(process.pid, [])
        if images and process.pid not in self._ended:
            self._old.append((process.since_ns, process.pid, images[-1].since_ns))
        self._ended.pop(process.pid, None)
        images.append(process)

    def end(self, pid: int, at_ns: int, uid: int) -> None:
        """Take the end of a process; it may have become another user meanwhile."""
        images = self._images.get(pid)
        if not images or pid in self._ended:
            return
        if images[-1].uid != uid:
            images[-1] = replace(images[-1], uid=uid)
        self._ended[pid] = at_ns
        self._old.append((at_ns, pid, images[-1].since_ns))

    def last(self, pid: int) -> Process | None:
        """Return what an id was last, be it gone or not."""
        images = self._images.get(pid)
        return images[-1] if images else None

    def living(self, pid: int) -> Process | None:
        """Return the process that has an id now."""
        return None if pid in self._ended else self.last(pid)

    def who(self, pid: int, at_ns: int) -> Process | None:
        """Return what an id was at a time."""
        images = self._images.get(pid, ())
        for image in reversed(images):
            if image.since_ns <= at_ns:
                return image
        return images[0] if images and images[0].since_ns <= at_ns + EARLY_NS else None

    def correct(self, process: Process) -> None:
        """Put what was read later in the place of what is known of a living process."""
        images = self._images.get(process.pid)
        if images:
            images[-1] = process

    def pids(self) -> list[int]:
        """Return the ids of all that live."""
        return [pid for pid in self._images if pid not in self._ended]

    def evict(self, now_ns: int) -> None:
        """Forget what ended too long ago."""
        before_ns = now_ns - round(KEEP_S * NS_PER_S)
        while self._old and self._old[0][0] < before_ns:
            _, pid, since_ns = self._old.popleft()
            images = [image for image in self._images.get(pid, ()) if image.since_ns != since_ns]
            if images:
                self._images[pid] = images
            else:
                self._images.pop(pid, None)
                self._ended.pop(pid, None)
