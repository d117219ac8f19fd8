"""Looking at objects that events named: `lstat`, and the proof that it is the object that was meant.

Comes in: where an object should be now, its key, and the key of its folder. Goes out: its stat, or None when it is not
there any more. A path may lead elsewhere: the folder was renamed meanwhile, and the event that says so is not read
yet. So the inode is compared with the one in the object's handle, and what does not fit is looked for again by the
handle of its folder, which no rename moves. One look per object and batch.
"""

from __future__ import annotations

import os
import stat as modes
from contextlib import suppress
from typing import Final

from tailrace.syscalls.fanotify import open_handle

_PLACES: Final[dict[bytes, slice]] = {
    b"\x08\0\0\0\x01\0\0\0": slice(16, 20),  # ext4 and others: inode, generation
    b"\x0c\0\0\0\x01\0\0\0": slice(20, 28),  # tmpfs: generation, inode in two halves
    b"\x0c\0\0\0\x81\0\0\0": slice(16, 24),  # xfs: inode, generation
    b"\x14\0\0\0\x4d\0\0\0": slice(16, 24),  # btrfs: object, tree, generation
}
"""Where a handle holds the inode number, by its length and type; measured against `lstat` before it is trusted."""

_OPEN: Final = 128


class Looks:
    """The looks of one batch at one file system; closed with it. `place` is an open folder there."""

    def __init__(self, place: int, *, inodes: bool) -> None:
        self._place = place
        self._inodes = inodes
        self._found: dict[tuple[bytes, bytes], os.stat_result | None] = {}
        self._folders: dict[bytes, int] = {}  # by key; -1 = gone
        self.again = 0  # looks by the folder's handle

    def at(self, path: bytes | None, key: bytes, folder: bytes, name: bytes) -> os.stat_result | None:
        """Return the stat of an object that is at `path`, which is `name` in `folder`, or was when we last heard."""
        asked = (folder, name)
        if asked in self._found:
            found = self._found[asked]
            return found if found is None or self._is(found, key) else None
        found = None if path is None else _lstat(path)
        if found is None or not self._is(found, key):
            found = self._below(folder, name)
        self._found[asked] = found
        return found if found is None or self._is(found, key) else None

    def of(self, key: bytes) -> os.stat_result | None:
        """Return the stat of an object wherever it is now; None if it has no name any more."""
        try:
            opened = open_handle(self._place, key[8:])
        except (OSError, ValueError):
            return None
        try:
            found = os.fstat(opened)
        except OSError:
            return None
        finally:
            os.close(opened)
        return found if found.st_nlink else None

    def target(self, path: bytes | None, folder: bytes, name: bytes) -> bytes | None:
        """Return where a symlink points; None if it is gone."""
        if path is not None:
            with suppress(OSError):
                return os.readlink(path)
        try:
            return os.fsencode(os.readlink(os.fsdecode(name), dir_fd=self._opened(folder)))
        except OSError:
            return None

    def close(self) -> None:
        """Close what was opened."""
        for opened in self._folders.values():
            if opened >= 0:
                os.close(opened)
        self._folders.clear()

    def _is(self, found: os.stat_result, key: bytes) -> bool:
        """Tell whether a stat is of the object that was meant, as far as that can be told."""
        return not (self._inodes and key) or inode_of(key) in (found.st_ino, 0)

    def _below(self, folder: bytes, name: bytes) -> os.stat_result | None:
        self.again += 1
        try:
            return os.stat(name, dir_fd=self._opened(folder), follow_symlinks=False)
        except OSError:
            return None

    def _opened(self, folder: bytes) -> int:
        opened = self._folders.get(folder) if folder else -1
        if opened is None:
            if len(self._folders) >= _OPEN:
                self.close()
            try:
                opened = open_handle(self._place, folder[8:])
            except OSError:
                opened = -1
            self._folders[folder] = opened
        if opened < 0:
            raise FileNotFoundError
        return opened


def place_of(kind: bytes) -> slice | None:
    """Return where keys with a handle of some length and type have the inode number, None if that is not known."""
    return _PLACES.get(kind)


def inode_of(key: bytes) -> int:
    """Return the inode number in a key, 0 if it is not known where that is."""
    place = _PLACES.get(key[8:16])
    return int.from_bytes(key[place], "little") if place is not None else 0


def is_link(found: os.stat_result) -> bool:
    """Tell whether a stat is of a symlink."""
    return modes.S_ISLNK(found.st_mode)


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (OSError, ValueError):
        return None
