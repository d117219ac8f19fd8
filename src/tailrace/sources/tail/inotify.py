"""The kernel's news about folders, by `ctypes`: which names changed, which folders are gone.

One watch per folder, never per file. An event only means "look there now". Adding a watch raises `OSError`:
ENOSPC (no watches left), EMFILE (no instances left), or that of the path. Making an `Inotify` raises `OSError`
where the system has none.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys
from dataclasses import dataclass
from typing import Final

from tailrace.syscalls.inotify import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    DELETE_SELF,
    IGNORED,
    MODIFY,
    MOVE_SELF,
    MOVED_FROM,
    MOVED_TO,
    ON_FOLDER,
    ONLY_FOLDER,
    OVERFLOW,
    UNMOUNT,
)

__all__ = [
    "CREATE",
    "DELETE_SELF",
    "IGNORED",
    "IS_FOLDER",
    "MODIFY",
    "MOVED_FROM",
    "MOVED_TO",
    "MOVE_SELF",
    "NAMES_CHANGE",
    "OVERFLOW",
    "UNMOUNT",
    "Event",
    "Inotify",
]

# No IN_EXCL_UNLINK: it would hide writes to a log that is deleted and still open.
_WANTED: Final = (
    MODIFY | ATTRIB | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF | ONLY_FOLDER
)
IS_FOLDER: Final = ON_FOLDER
NAMES_CHANGE: Final = MOVED_FROM | MOVED_TO | CREATE | DELETE
_EVENT: Final = struct.Struct("iIII")
_BUFFER_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a name in a watched folder, or to the folder itself (empty name)."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One queue of events."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "inotify is a part of Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.handle: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.handle < 0:
            raise _failure("inotify")
        self._poll = select.poll()
        self._poll.register(self.handle, select.POLLIN)

    def add(self, folder: str) -> int:
        """Watch a folder and return its watch; the same folder has the same watch."""
        watch: int = self._libc.inotify_add_watch(self.handle, os.fsencode(folder), _WANTED)
        if watch < 0:
            raise _failure(folder)
        return watch

    def remove(self, watch: int) -> None:
        """Stop watching; a watch that is gone already is fine."""
        self._libc.inotify_rm_watch(self.handle, watch)

    def wait(self, timeout_s: float) -> bool:
        """Wait for events; tell whether there are any."""
        return bool(self._poll.poll(max(0.0, timeout_s) * 1000))

    def read(self) -> list[Event]:
        """Return the events that wait, in order, possibly none."""
        events: list[Event] = []
        while True:
            try:
                data = os.read(self.handle, _BUFFER_BYTES)
            except BlockingIOError:
                return events
            at = 0
            while at < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size
                events.append(Event(watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
                at += length
            if len(data) < _BUFFER_BYTES // 2:
                return events

    def close(self) -> None:
        """Give the queue back; nothing is watched afterwards."""
        os.close(self.handle)


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
