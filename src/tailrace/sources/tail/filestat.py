"""What the kernel tells about a file: kind, numbers, size and, by `statx`, its birth.

Python's own `stat` leaves out the birth on Linux. Where `statx` is missing (another system, an
old kernel) the birth is 0, unknown, or what `st_birthtime` says.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from dataclasses import dataclass
from typing import Final

from tailrace.sources.tail.identity import FileId

_AT_EMPTY_PATH: Final = 0x1000
_STATX_BTIME: Final = 0x800
_BTIME_AT: Final = 80  # offset of stx_btime in struct statx (linux/stat.h)
_NO_EVENTS: Final = {
    0x6969,  # NFS
    0x517B,  # SMB
    0xFF534D42,  # CIFS
    0xFE534D42,  # SMB2
    0x65735546,  # FUSE
    0x01021997,  # 9P
    0x00C36400,  # Ceph
    0x5346414F,  # AFS
    0x0BD00BD0,  # Lustre
    0x47504653,  # GPFS
    0x01161970,  # GFS2
    0x7461636F,  # OCFS2
    0x786F4256,  # VirtualBox
}
_NO_STATX: Final = {errno.ENOSYS, errno.EPERM, errno.EINVAL}  # an old kernel, or one that forbids the call
_libc = ctypes.CDLL(None, use_errno=True)
_statx = getattr(_libc, "statx", None) if sys.platform == "linux" else None
_statfs = getattr(_libc, "statfs", None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class FileStat:
    """One look at a file."""

    dev: int
    ino: int
    mode: int
    links: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @property
    def regular(self) -> bool:
        """Whether it is a plain file."""
        return stat.S_ISREG(self.mode)

    def kind(self) -> str:
        """Name what it is, if not a plain file."""
        kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
        return kinds.get(stat.S_IFMT(self.mode), "device")


def look(at: str | int) -> FileStat:
    """Look at a path (links followed) or a descriptor; raises `OSError`."""
    found = os.stat(at)
    return FileStat(
        found.st_dev, found.st_ino, found.st_mode, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    )


def size_of(at: str | int) -> int:
    """Return the size of a file, 0 if it cannot be seen."""
    try:
        return os.stat(at).st_size
    except OSError:
        return 0


def born_ns(at: str | int) -> int:
    """Return the birth of the file at a path (links followed) or descriptor, 0 if it is not told; raises `OSError`."""
    if _statx is None:
        return _birth_elsewhere(at)
    buffer = ctypes.create_string_buffer(256)
    handle, path, flags = (at, b"", _AT_EMPTY_PATH) if isinstance(at, int) else (-100, os.fsencode(at), 0)
    if _statx(handle, path, flags, _STATX_BTIME, buffer) != 0:
        number = ctypes.get_errno()
        if number in _NO_STATX:
            return 0
        raise OSError(number, os.strerror(number), str(at))  # not seen: a file without a birth would be another one
    (mask,) = struct.unpack_from("=I", buffer)
    seconds, nanoseconds = struct.unpack_from("=qI", buffer, _BTIME_AT)
    return seconds * 1_000_000_000 + nanoseconds if mask & _STATX_BTIME else 0


def file_id(at: str | int, found: FileStat) -> FileId:
    """Return the identity of a file that was looked at."""
    return FileId(found.dev, found.ino, born_ns(at))


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a file, with its identity."""

    found: FileStat
    number: FileId


def see(path: str) -> Seen:
    """Look at a path (links followed) and identify what is there; raises `OSError`."""
    found = look(path)
    return Seen(found, file_id(path, found))


def tells_events(folder: str) -> bool:
    """Tell whether the file system of a folder reports changes that were made elsewhere too."""
    if _statfs is None:
        return False
    buffer = ctypes.create_string_buffer(256)
    if _statfs(os.fsencode(folder), buffer) != 0:
        return False
    return (struct.unpack_from("@l", buffer)[0] & 0xFFFFFFFF) not in _NO_EVENTS


def path_of(handle: int) -> str | None:
    """Return the present path of an open file, None if it has none or nobody tells."""
    try:
        return os.readlink(f"/proc/self/fd/{handle}")
    except OSError:
        return None


def _birth_elsewhere(at: str | int) -> int:
    seconds = getattr(os.stat(at), "st_birthtime", 0.0)
    return int(seconds * 1_000_000_000)
