"""What makes inode numbers unique on a host, in a way that outlives a reboot: the file system's UUID, else its device.

Comes in: a device number as `lstat` gives it, with a path there. Goes out: a text. Device numbers of temporary and
network file systems are given anew at each mount, so the UUID is asked for first. Where the number is of no device
(its major number is 0) one UUID may stand for several trees with inodes of their own, as the subvolumes of btrfs: the
id that `statvfs` gives of the tree is added.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from typing import Final

_GET_UUID: Final = 0x80111500
"""FS_IOC_GETFSUUID: a length of one byte, then sixteen bytes (Linux 6.9)."""
_UUID_BYTES: Final = 16
_BY_UUID: Final = "/dev/disk/by-uuid"


class Devices:
    """Names of devices; each is asked for once."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def of(self, device: int, path: bytes) -> str:
        """Return the name of a device; `path` is a file or folder on it."""
        name = self._names.get(device)
        if name is None:
            name = self._names[device] = _asked(device, path) or _listed(device) or _number(device)
        return name


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _asked(device: int, path: bytes) -> str | None:
    """Return what the file system says of itself; nothing if it does not, or if `path` cannot be opened safely."""
    try:
        folder = path if os.path.isdir(path) and not os.path.islink(path) else os.path.dirname(path)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(handle).st_dev != device:  # a file from elsewhere: mounted here by itself, or of a lower layer
            return None
        name = _uuid(handle)
        tree = 0 if os.major(device) else os.statvfs(handle).f_fsid
    except OSError:
        return None
    finally:
        os.close(handle)
    return f"{name}:{tree:016x}" if name is not None and tree else name


def _uuid(handle: int) -> str | None:
    """Return the UUID of the file system of an open folder."""
    try:
        answer = fcntl.ioctl(handle, _GET_UUID, bytes(1 + _UUID_BYTES))
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ENOSYS):
            raise
        return None
    return str(uuid.UUID(bytes=answer[1:])) if answer[0] == _UUID_BYTES and any(answer[1:]) else None


def _listed(device: int) -> str | None:
    """Return the UUID under which the system lists a block device."""
    try:
        names = os.listdir(_BY_UUID)
    except OSError:
        return None
    for name in names:
        try:
            if os.stat(f"{_BY_UUID}/{name}").st_rdev == device:
                return name
        except OSError:
            continue
    return None
