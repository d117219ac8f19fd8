r"""The file systems that are mounted at and below some paths.

Comes in: the text of `/proc/self/mountinfo`. Goes out: mount points with the type of their file system, outermost
first. Where several are mounted on one point the last one counts. Types that hold no files of anybody are left out.

>>> text = "22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:40 / /srv/b\\040c rw - tmpfs none rw\n"
>>> [(mount.point, mount.kind) for mount in mounts_of(text)]
[(b'/', 'ext4'), (b'/srv/b c', 'tmpfs')]
"""

from __future__ import annotations

import os
import re
import select
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_TABLE: Final = "/proc/self/mountinfo"
_ESCAPE: Final = re.compile(rb"\\([0-7]{3})")
_PSEUDO: Final = frozenset(
    {
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    }
)
"""File systems whose files are the kernel's answers: nobody stores anything there."""

_REMOTE: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "glusterfs", "nfs", "nfs4", "smb3", "smbfs", "virtiofs", "vboxsf"}
)


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system."""

    point: bytes
    kind: str

    @property
    def pseudo(self) -> bool:
        """Whether its files are answers of the kernel."""
        return self.kind in _PSEUDO

    @property
    def remote(self) -> bool:
        """Whether others may change it without this kernel's knowledge."""
        return self.kind in _REMOTE or self.kind.startswith("fuse")


def mounts_of(text: str) -> list[Mount]:
    """Return the mounts of a table, outermost first."""
    found: dict[bytes, Mount] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        words = left.split(" ")
        if len(words) > 4 and right:  # noqa: PLR2004  the mount point is the fifth word
            point = _ESCAPE.sub(lambda code: bytes([int(code[1], 8)]), os.fsencode(words[4]))
            found[point] = Mount(point, right.split(" ")[0])
    return sorted(found.values(), key=lambda mount: mount.point.count(b"/") if mount.point != b"/" else 0)


class Mounts:
    """The mounts of this process, and the news that they changed."""

    def __init__(self) -> None:
        self._poll = select.poll()
        try:
            self._table: int | None = os.open(_TABLE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # no Linux: nothing is known of mounts
            self._table = None
        else:
            self._poll.register(self._table, select.POLLPRI)

    def changed(self) -> bool:
        """Tell whether something was mounted or unmounted since the last time it was asked."""
        return bool(self._poll.poll(0))

    def now(self) -> list[Mount]:
        """Return the mounts, outermost first."""
        if self._table is None:
            return []
        with open(_TABLE, encoding="utf-8", errors="surrogateescape") as table:
            return mounts_of(table.read())

    def below(self, roots: Sequence[bytes]) -> list[Mount]:
        """Return the mounts strictly below roots that are folders and hold files."""
        inside = [each for each in self.now() if any(each.point.startswith(root.rstrip(b"/") + b"/") for root in roots)]
        return [each for each in inside if each.point not in roots and not each.pseudo and os.path.isdir(each.point)]

    def holding(self, path: bytes) -> Mount | None:
        """Return the mount that holds a path."""
        best = None
        for mount in self.now():
            if path == mount.point or path.startswith(mount.point.rstrip(b"/") + b"/"):
                best = mount
        return best

    def close(self) -> None:
        """Close the table."""
        if self._table is not None:
            os.close(self._table)
