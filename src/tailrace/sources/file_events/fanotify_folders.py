"""The folders of one file system that are in scope, by handle, and where those are that are not known.

Comes in: roots, folders to enter, names in folders. Goes out: paths as the table has them, or as the kernel has them
now. All is asked by handles, which no rename leads astray.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events.handles import HandleTable
from tailrace.sources.file_events.looks import inode_of
from tailrace.syscalls import fanotify as kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.sources.file_events.scope import Scope

LIST: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK
_OUTSIDE: Final = 100_000


class FanotifyFolders:
    """The table of folders of one file system; `place` is an open folder there."""

    def __init__(self, scope: Scope, roots: Sequence[bytes], place: int) -> None:
        self.table = HandleTable()
        self.outside: set[bytes] = set()  # folders that are not in scope, as far as asked
        self.unresolved = 0
        self.inodes = True  # whether handles tell inodes; found out while folders are entered
        self._scope = scope
        self._roots = roots
        self._place = place
        self._id = kernel.file_system_id(standing(roots[0]))
        self._mount = kernel.handle_of(standing(roots[0]))[1]

    def key_of(self, path: bytes) -> bytes:
        """Return the key of what is at a path. Raises OSError."""
        return self._id + kernel.handle_of(path)[0]

    def is_at(self, key: bytes, path: bytes) -> bool:
        """Tell whether a folder is at a path."""
        try:
            return self.key_of(path) == key
        except OSError:
            return False

    def known_above(self, path: bytes) -> bytes | None:
        """Return the key of the folder above a path if it is of this file system and in the table. Raises OSError."""
        handle, mount = kernel.handle_of(os.path.dirname(path))
        key = self._id + handle
        return key if mount == self._mount and key in self.table else None

    def left_out(self, path: bytes) -> bool:
        """Tell whether a path is not in scope."""
        root = self._scope.root_of(path)
        return root is None or self._scope.leaves_out(path, root)

    def is_strange(self, folder: bytes) -> bool:
        """Tell whether nobody has asked yet where a folder is."""
        return folder not in self.table and folder not in self.outside

    def where(self, folder: bytes) -> bytes | None:
        """Return the path at which the kernel has a folder now, None if it is gone."""
        try:
            opened = kernel.open_handle(self._place, folder[8:])
        except OSError:
            return None
        try:
            path = os.fsencode(os.readlink(f"/proc/self/fd/{opened}"))
        except OSError:
            return None
        finally:
            os.close(opened)
        return None if path.endswith(b" (deleted)") else path

    def enter_roots(self) -> None:
        """Enter the roots with all folders below them; a root that is not there is awaited in its folder."""
        for root in self._roots:
            above, name = os.path.split(root)
            try:
                handle, mount = kernel.handle_of(root)
            except FileNotFoundError:
                handle, mount = b"", -1
            upper, upper_mount = kernel.handle_of(above)
            if name and mount in (-1, upper_mount):
                self.table.put_gate(self._id + upper, name, root)
            if handle and os.path.isdir(root) and not os.path.islink(root):
                self.table.put_root(self._id + handle, root)
                self.enter(self._id + handle)

    def enter(self, key: bytes) -> None:
        """Enter all folders below a folder, by handles, which no rename meanwhile can lead astray."""
        waiting = [key]
        while waiting:
            upper = waiting.pop()
            try:
                opened = kernel.open_handle(self._place, upper[8:], LIST)
            except OSError:  # removed meanwhile: an event says so
                continue
            try:
                waiting += self._folders_in(opened, upper)
            except OSError:
                continue
            finally:
                os.close(opened)

    def _folders_in(self, opened: int, upper: bytes) -> list[bytes]:
        found: list[bytes] = []
        prefix = self.table.anywhere(upper, b"")
        if prefix is None:
            return found
        with os.scandir(opened) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    continue
                name = os.fsencode(entry.name)
                if self.left_out(prefix + name):
                    continue
                try:
                    handle, mount = kernel.handle_of(name, opened)
                except OSError:
                    continue
                if mount != self._mount:
                    continue
                key = self._id + handle
                self.inodes = self.inodes and inode_of(key) in (entry.inode(), 0)
                self.table.put(key, upper, name)
                found.append(key)
        return found

    def learn(self, folder: bytes) -> bytes | None:
        """Ask the kernel where an unknown folder is; return the uppermost one above it, now known, that is to come in.

        None if it is not in scope, or nowhere.
        """
        path = self.where(folder)
        if path is None:
            self.unresolved += 1
            return None
        root = self._scope.root_of(path) or b""
        if root not in self._roots or self._scope.leaves_out(path, root):
            if len(self.outside) >= _OUTSIDE:
                self.outside.clear()
            self.outside.add(folder)
            return None
        try:
            upper = self.key_of(root)
            for name in path[len(root) :].strip(b"/").split(b"/"):
                root = root.rstrip(b"/") + b"/" + name
                key = self.key_of(root)
                if key not in self.table:
                    self.table.put(key, upper, name)
                    return key
                upper = key
        except OSError:
            return None
        return None


def standing(path: bytes) -> bytes:
    """Return the folder of a root that is there: itself, or the one above it."""
    return path if os.path.isdir(path) and not os.path.islink(path) else os.path.dirname(path)
