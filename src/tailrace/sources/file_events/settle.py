"""The second pass over events: objects looked at where they are now, and what no event says.

Comes in: a batch of events with the paths of their time, and the keys to find their objects by. Goes out: `Changes`,
with a stat for each object that still lives. Three things are told beside the events:

- folders that changed with the names in them (size, links, time), when nothing waits any more;
- the other names of a file that has several;
- names that an object may have got and lost again without an event of its own.
"""

from __future__ import annotations

import os
import stat as modes
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.looks import Looks, is_link, place_of

if TYPE_CHECKING:
    from tailrace.sources.file_events.backend import Changes
    from tailrace.sources.file_events.fanotify_folders import FanotifyFolders
    from tailrace.sources.file_events.scope import Scope

Name = tuple[bytes, bytes]
"""A folder, by its key, and a name there."""

_Row = tuple[int, bytes, bytes | None, bytes, bytes, bytes, int]
"""Bits, path, path before a move, object, folder, name, process."""

TOUCHES: Final = bits.UPDATED | bits.ATTRIBUTES
"""What happens to a file and to none of its names."""

_NAMES: Final = bits.CREATED | bits.DELETED | bits.MOVED
_ACTIONS: Final = bits.ACTIONS
_LINKS: Final = 16
"""Names of one file that are told of when it changes, the newest."""
_SIZES: Final = 200_000
"""Folders of which it is remembered what size was told last."""
_RENAMES: Final = 100_000
"""Renames that are remembered; after more, doubtful names are looked at though something waits."""
_SYMLINK: Final = 0o120000
"""Modes from here on are symlinks and sockets, which a plain look does not settle."""


class Batch:
    """The events of one read between the two passes, with the keys to look by."""

    __slots__ = ("linked", "rows", "told")

    def __init__(self) -> None:
        self.rows: list[_Row] = []  # a fast pass appends to it itself
        self.linked: dict[int, tuple[int, int]] = {}  # bits and process by inodes that have, or may have, other names
        self.told: set[Name] = set()  # names of such files that the batch tells of anyway

    def add(
        self, what: int, path: bytes, thing: bytes, folder: bytes, name: bytes, pid: int, old: bytes | None = None
    ) -> None:
        """Append one event."""
        self.rows.append((what, path, old, thing, folder, name, pid))


class Settler:
    """Looks at the objects of one file system; `place` is an open folder there, `kind` is how its handles begin."""

    def __init__(self, folders: FanotifyFolders, scope: Scope, place: int, kind: bytes) -> None:
        self._folders = folders
        self._table = folders.table
        self._scope = scope
        self._place = place
        self._kind = kind
        self.touched: set[bytes] = set()  # folders in which names changed since the queue was empty
        self.doubtful: set[Name] = set()  # names that an event may not have told of
        self.left: set[Name] = set()  # names that went out of the scope, and may have come back without an event
        self.came: dict[Name, set[Name]] = {}  # names that something was renamed to, and from where
        self.links: dict[int, dict[Name, None]] = {}  # names in scope of files that have several, by inode
        self.counts = {"vanished": 0, "looked_again": 0}
        self._sizes: dict[bytes, tuple[int, int, int, int]] = {}  # of folders, as told last

    def quiet(self, changes: Changes) -> None:
        """Tell what is told when nothing waits any more."""
        self._look_at_folders(changes)
        self._look_at_doubtful(changes)

    def settle(self, batch: Batch, changes: Changes, *, moved: bool) -> None:
        """Look at every object that may still be there: plainly first, and closely where that does not settle it.

        `moved` tells that folders changed their paths in the batch.
        """
        looks = Looks(self._place, inodes=self._folders.inodes)
        path_now, lstat, number = self._table.path, os.lstat, int.from_bytes
        kind, place = self._kind, place_of(self._kind) if self._folders.inodes else None
        seen: dict[bytes, os.stat_result] = {}  # the whole batch was read before the first look
        add_bits, add_path, add_stat = changes.bits.append, changes.paths.append, changes.stats.append
        add_old, add_inode, add_pid = changes.old_paths.append, changes.inodes.append, changes.pids.append
        try:
            for what, path, old_path, thing, folder, name, pid in batch.rows:
                inode = number(thing[place], "little") if place is not None and thing[8:16] == kind else 0
                found = None
                if what & _ACTIONS != bits.DELETED:
                    # a root has no folder above it, and its name is its whole path
                    where = path if not moved else path_now(folder, name) if folder else name or None
                    if where is not None:
                        found = seen.get(where)
                        if found is None:
                            try:
                                found = seen[where] = lstat(where)
                            except OSError:
                                found = None
                    if (
                        found is None
                        or found.st_ino != inode
                        or (what & bits.FOLDER == 0 and (found.st_nlink > 1 or found.st_mode >= _SYMLINK))
                    ):
                        what, found = self._look_closely(looks, batch, changes, what, where, thing, folder, name, pid)  # noqa: PLW2901
                        if not what:
                            self.counts["vanished"] += 1
                            continue
                        inode = found.st_ino if found is not None else inode
                add_bits(what)
                add_path(path)
                add_old(old_path)
                add_stat(found)
                add_inode(inode)
                add_pid(pid)
            if self.links:
                self._look_at_links(batch, looks, changes)
            self.touched.update([row[4] for row in batch.rows if row[0] & _NAMES])
            self.counts["looked_again"] += looks.again
            if len(self.came) > _RENAMES:
                self._look_at_doubtful(changes)
        finally:
            looks.close()

    def _look_closely(
        self,
        looks: Looks,
        batch: Batch,
        changes: Changes,
        what: int,
        where: bytes | None,
        thing: bytes,
        folder: bytes,
        name: bytes,
        pid: int,
    ) -> tuple[int, os.stat_result | None]:
        """Look at an object by all means; return no bits for an event that says nothing: its object is elsewhere."""
        found = looks.at(where, thing, folder, name)
        if found is None:
            if not what & _NAMES:  # where it is, or that it is gone, an event of its own says
                return 0, None
            if what & bits.EXCHANGED:
                return bits.DELETED | (what & bits.FOLDER), None
            if not what & bits.DELETED:  # it went on
                self.doubtful.add((folder, name))
                found = looks.of(thing)
        if found is None or what & bits.FOLDER:
            return what, found
        if is_link(found):
            target = looks.target(where, folder, name)
            if target is not None:
                changes.targets[len(changes.bits)] = target
        if found.st_nlink > 1:
            self.links.setdefault(found.st_ino, {})[folder, name] = None
            batch.linked.setdefault(found.st_ino, (what & TOUCHES, pid))
            batch.told.add((folder, name))
        return what, found

    def _look_at_folders(self, changes: Changes) -> None:
        """Tell of folders that changed with their names: no event says so, and sizes of trees count them."""
        touched, self.touched = self.touched, set()
        if len(self._sizes) > _SIZES:
            self._sizes.clear()
        for key in touched:
            prefix = self._table.prefix(key)
            if prefix is None:
                continue
            path = prefix[:-1] or b"/"
            try:
                found = os.lstat(path)
            except OSError:
                continue
            size = (found.st_size, found.st_blocks, found.st_nlink, found.st_mtime_ns)
            if self._sizes.get(key) != size:
                self._sizes[key] = size
                what = bits.ATTRIBUTES | bits.FOLDER | bits.SYNTHETIC
                changes.add(what, path, found, inode=found.st_ino)

    def _look_at_doubtful(self, changes: Changes) -> None:
        """Tell what is at names that an object may have got and lost again without an event of its own.

        The kernel adds an event to one about the same object and name that waits, even before a rename between them:
        of `ln a b; mv b c; ln c b` the second `b` is told with the first, of `mv a b; mv b a; mv a b` the last move.
        """
        doubtful, self.doubtful = self.doubtful, set()
        came, self.came = self.came, {}
        left, self.left = self.left, set()
        waiting = list(doubtful)
        while waiting:
            more = came.get(waiting.pop(), set()) - doubtful
            doubtful |= more
            waiting += more
        for folder, name in doubtful | left:
            path = self._table.path(folder, name)
            if path is None or not self._scope.wants(path):
                continue
            try:
                found = os.lstat(path)
            except FileNotFoundError:
                if (folder, name) in doubtful:
                    changes.add(bits.DELETED | bits.SYNTHETIC, path)
                continue
            except OSError:
                continue
            if not modes.S_ISDIR(found.st_mode):
                if is_link(found):
                    with suppress(OSError):
                        changes.targets[len(changes)] = os.readlink(path)
                changes.add(bits.CREATED | bits.SYNTHETIC, path, found, inode=found.st_ino)

    def _look_at_links(self, batch: Batch, looks: Looks, changes: Changes) -> None:
        """Tell of files with several names under each of them: one may leave the scope with what was told of it."""
        for inode in batch.linked.keys() & self.links.keys():
            what, pid = batch.linked[inode]
            names = self.links[inode]
            for folder, name in list(names)[-_LINKS:]:
                if (folder, name) in batch.told:
                    continue
                path = self._table.path(folder, name)
                found = None if path is None else looks.at(path, b"", folder, name)
                if path is None or found is None or found.st_ino != inode:
                    del names[folder, name]
                else:
                    changes.add(what or bits.ATTRIBUTES, path, found, inode=inode, pid=pid)
            if not names:
                del self.links[inode]
