"""The calls of inotify, by `ctypes`, and a thread that empties the kernel's queue at once.

The kernel holds 16,384 events of a queue and then loses what comes, so a thread of its own moves them to memory as
they arrive, up to a bound: the reader may be busy for seconds. Needs no privileges. Raises `OSError`: ENOSPC where
there are no watches left, EMFILE without instances left, ENOSYS where the system has none, or that of the path.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import struct
import sys
import termios
import threading
from array import array
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
UNMOUNT: Final = 0x2000
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
ONLY_FOLDER: Final = 0x01000000
EXCLUDE_UNLINKED: Final = 0x04000000
ON_FOLDER: Final = 0x40000000

CHANGES: Final = (
    MODIFY
    | ATTRIB
    | CLOSE_WRITE
    | MOVED_FROM
    | MOVED_TO
    | CREATE
    | DELETE
    | DELETE_SELF
    | MOVE_SELF
    | ONLY_FOLDER
    | EXCLUDE_UNLINKED
)
"""What a watch of a folder reports: every change of its names and of what they stand for."""

_EVENT: Final = struct.Struct("=iIII")
EVENT_BYTES: Final = 32
"""Length of an event with a short name."""

_READ_BYTES: Final = 256 * 1024
_HELD_BYTES: Final = 128 * 1024 * 1024
"""Bytes of events that wait in memory, three to four million; beyond, they wait in the kernel."""


class Queue:
    """One queue of events, and the watches that feed it."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "inotify is a part of Linux")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._kernel: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._kernel < 0:
            raise _failure("inotify")
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._room = threading.Condition()
        self._closing = False
        self.handle = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._empty, name="inotify", daemon=True)
        self._thread.start()

    def add(self, folder: bytes) -> int:
        """Watch a folder and return its watch; the same folder has the same watch."""
        watch: int = self._libc.inotify_add_watch(self._kernel, folder, CHANGES)
        if watch < 0:
            raise _failure(os.fsdecode(folder))
        return watch

    def remove(self, watch: int) -> None:
        """Stop watching; a watch that is gone already is fine."""
        self._libc.inotify_rm_watch(self._kernel, watch)

    def take(self) -> bytes:
        """Return a piece of what waits, whole events in order, or nothing; never waits."""
        with self._room:
            if not self._held:
                self._clear(self.handle)
                return b""
            data = self._held.popleft()
            self._held_bytes -= len(data)
            self._room.notify()
            return data

    def in_kernel(self) -> int:
        """Return the bytes that wait in the kernel."""
        with self._room:
            answer = array("i", [0])
            fcntl.ioctl(self._kernel, termios.FIONREAD, answer)
            return answer[0]

    def waiting(self) -> int:
        """Return the bytes that wait in memory."""
        return self._held_bytes

    def close(self) -> None:
        """Give the queue back; nothing is watched afterwards."""
        with self._room:
            self._closing = True
            self._room.notify()
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        for handle in (self._kernel, self.handle, self._wake):
            os.close(handle)

    def _empty(self) -> None:
        """Move events from the kernel to memory until the queue is closed; the thread."""
        news = select.poll()
        news.register(self._kernel, select.POLLIN)
        news.register(self._wake, select.POLLIN)
        while not self._closing:
            news.poll()
            with self._room:
                try:
                    data = os.read(self._kernel, _READ_BYTES)
                except (BlockingIOError, InterruptedError):
                    continue
                self._held.append(data)
                self._held_bytes += len(data)
                os.eventfd_write(self.handle, 1)
                self._room.wait_for(lambda: self._closing or self._held_bytes < _HELD_BYTES)

    @staticmethod
    def _clear(handle: int) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(handle)


def parse(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield watch, mask, cookie and name of each event."""
    at, end, unpack, head = 0, len(data), _EVENT.unpack_from, _EVENT.size
    while at < end:
        watch, mask, cookie, length = unpack(data, at)
        at += head
        yield watch, mask, cookie, data[at : at + length].rstrip(b"\0")
        at += length


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
