"""The kernel's news about whole file systems, by `ctypes`: groups, marks, file handles.

A group is a queue of events; a mark says what goes into it. A file handle names a file or folder for as long as it
lives, whatever its path: events name folders so. Everything raises `OSError` with the path it was about: EPERM (not
root), EOPNOTSUPP (no handles or no marks on that file system), EXDEV (a btrfs subvolume), ENODEV (no file-system id).
Numbers and layouts are those of `linux/fanotify.h`.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import sys
from functools import cache
from typing import Final

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
CREATE: Final = 0x100
DELETE: Final = 0x200
OVERFLOW: Final = 0x4000
RENAME: Final = 0x1000_0000
ON_FOLDER: Final = 0x4000_0000

CHANGES: Final = MODIFY | ATTRIB | CLOSE_WRITE | CREATE | DELETE | RENAME | ON_FOLDER
"""Everything that changes what is stored. Openings and readings are left out: our own would feed the queue. So are
DELETE_SELF and MOVE_SELF, which say again what DELETE and RENAME said, a third of the events of `rm -r`."""

_INIT: Final = 0x1E13
"""CLOEXEC, NONBLOCK, UNLIMITED_QUEUE; ids of the object, of its folder, and names. No pidfd: each would be a descriptor
to close, and the table of processes tells more."""
_EVENT_FILES: Final = os.O_RDONLY | getattr(os, "O_LARGEFILE", 0)
_ADD: Final = 0x1
_FILE_SYSTEM: Final = 0x100
_AT_FDCWD: Final = -100
_HANDLE_BYTES: Final = 128
_FIONREAD: Final = 0x541B
_COUNTED_BYTES: Final = 24  # what FIONREAD says for each queued event
_O_PATH: Final = 0x200000


class Group:
    """One queue of events about the file systems that were marked."""

    def __init__(self) -> None:
        self.handle: int = _libc().fanotify_init(_INIT, _EVENT_FILES | os.O_CLOEXEC)
        if self.handle < 0:
            raise failure("fanotify")

    def mark(self, mount: bytes) -> None:
        """Ask for every change of the file system that is mounted at, or holds, a path."""
        if _libc().fanotify_mark(self.handle, _ADD | _FILE_SYSTEM, CHANGES, _AT_FDCWD, mount) < 0:
            raise failure(os.fsdecode(mount))

    def read(self, most_bytes: int) -> bytes:
        """Return raw events, nothing if none waits."""
        try:
            return os.read(self.handle, most_bytes)
        except BlockingIOError:
            return b""

    def waiting(self) -> int:
        """Return how many events are in the queue; none once it is closed, from whichever thread that is asked."""
        if self.handle < 0:
            return 0
        answer: int = struct.unpack("i", fcntl.ioctl(self.handle, _FIONREAD, b"\0\0\0\0"))[0]
        return answer // _COUNTED_BYTES

    def close(self) -> None:
        """Give the queue and its marks back."""
        handle, self.handle = self.handle, -1
        os.close(handle)


_SIZE: Final = struct.Struct("=Ii")


def handle_of(path: bytes, folder: int = _AT_FDCWD) -> tuple[bytes, int]:
    """Return the file handle of a path itself, as events hold it: length, type, data; and the id of its mount.

    The path is taken below `folder`, an open descriptor, if one is given.
    """
    buffer = ctypes.create_string_buffer(_SIZE.pack(_HANDLE_BYTES, 0), _SIZE.size + _HANDLE_BYTES)
    mount = ctypes.c_int()
    if _libc().name_to_handle_at(folder, path, buffer, ctypes.byref(mount), 0) < 0:
        raise failure(os.fsdecode(path))
    raw = buffer.raw
    return raw[: _SIZE.size + int.from_bytes(raw[:4], sys.byteorder)], mount.value


def open_handle(place: int, handle: bytes, flags: int = _O_PATH) -> int:
    """Return a descriptor of what a handle names, ESTALE if it is gone; `place` is an open folder there."""
    if len(handle) < _SIZE.size:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), "file handle")
    found: int = _libc().open_by_handle_at(place, handle, flags | os.O_CLOEXEC)
    if found < 0:
        raise failure("file handle")
    return found


def file_system_id(path: bytes) -> bytes:
    """Return the eight bytes that name a file system in events, until it is mounted anew."""
    return struct.pack("=Q", os.statvfs(path).f_fsid & 0xFFFF_FFFF_FFFF_FFFF)


def failure(what: str) -> OSError:
    """Return the error of the last call."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)


@cache
def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "fanotify is a part of Linux")
    library = ctypes.CDLL(None, use_errno=True)
    library.fanotify_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
    library.fanotify_init.argtypes = (ctypes.c_uint, ctypes.c_uint)
    library.name_to_handle_at.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int,
    )
    library.open_by_handle_at.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    return library
