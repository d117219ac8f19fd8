"""Looking at objects that inotify named, through descriptors of their folders that are proven by inode.

Comes in: a batch of events with their places (watch, name). Goes out: `Changes` with stats. One look per place and
batch; a descriptor is opened once per folder and read.
"""

from __future__ import annotations

import os
import stat as modes
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events import backend as bits

if TYPE_CHECKING:
    from tailrace.sources.file_events.backend import Changes
    from tailrace.sources.file_events.inotify_folders import Folders

_OPEN: Final = 128  # descriptors of folders that are open at once
_FOLDER: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH: Final = getattr(os, "O_PATH", os.O_RDONLY) | _FOLDER
_LIST: Final = os.O_RDONLY | os.O_NONBLOCK | _FOLDER

_Place = tuple[int, bytes]


class Batch:
    """Events of one read, in order; those of one place between two renames are one entry."""

    def __init__(self) -> None:
        self.bits: list[int] = []
        self.paths: list[bytes] = []
        self.places: list[_Place] = []
        self.old_paths: list[bytes | None] = []
        self.looks: list[os.stat_result | None] = []  # of entries that were looked at already
        self.found = 0
        self._at: dict[_Place, int] = {}

    def merge(self, what: int, path: bytes, place: _Place) -> None:
        """Add an event to the entry of its place, or begin one."""
        at = self._at.get(place)
        if at is not None:
            self.bits[at] |= what
            self.looks[at] = None
        else:
            self._at[place] = len(self.bits)
            self.add(what, path, place)

    def add(self, what: int, path: bytes, place: _Place, old_path: bytes | None = None) -> None:
        """Add an entry of its own."""
        self.bits.append(what)
        self.paths.append(path)
        self.places.append(place)
        self.old_paths.append(old_path)
        self.looks.append(None)

    def add_found(self, what: int, path: bytes, place: _Place, look: os.stat_result) -> None:
        """Add an entry about an object that was found by looking; later events are about what is looked at then."""
        self._at[place] = len(self.bits)
        self.add(what, path, place)
        self.looks[-1] = look
        self.found += 1

    def part(self, *places: _Place) -> None:
        """Begin new entries at places from which, or to which, something was renamed."""
        for place in places:
            self._at.pop(place, None)


class Looks:
    """Looks at the objects of some watched folders."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._open: dict[int, int] = {}  # by watch
        self._known: dict[
            _Place, tuple[int, int, int]
        ] = {}  # what was told of what was found since the queue was empty
        self.gate_paths: dict[int, bytes] = {}
        self.vanished = 0

    def look(self, batch: Batch, changes: Changes, unsure: dict[_Place, int]) -> None:
        """Look at the objects of a batch; places whose folder is elsewhere are noted as unsure."""
        entries = zip(batch.bits, batch.paths, batch.places, batch.old_paths, batch.looks, strict=True)
        for what, path, place, old_path, seen in entries:
            found = seen
            if found is None and what & bits.ACTIONS != bits.DELETED:
                found = self.at(place)
                if found is None and not self.is_open(place[0]):
                    unsure.setdefault(place, 0)
                if found is None and not what & (bits.CREATED | bits.DELETED | bits.MOVED):
                    self.vanished += 1  # an event of its own says where to
                    continue
                told_again = what & (bits.CREATED | bits.SYNTHETIC) == bits.CREATED and place in self._known
                if told_again and found is not None:
                    if self._known.pop(place) == _mark(found):
                        continue
                    if not what & bits.DELETED:
                        what = what & ~bits.CREATED | bits.UPDATED  # noqa: PLW2901
            if found is not None and modes.S_ISLNK(found.st_mode):
                target = self._target(place)
                if target is not None:
                    changes.targets[len(changes.bits)] = target
            changes.add(what, path, found, old_path=old_path, inode=found.st_ino if found is not None else 0)

    def at(self, place: _Place) -> os.stat_result | None:
        """Return the stat of what is at a place now, None if there is nothing, or the folder is elsewhere."""
        opened = self._opened(place[0])
        if opened < 0:
            return None
        try:
            return os.stat(place[1], dir_fd=opened, follow_symlinks=False)
        except OSError:
            return None

    def of(self, watch: int) -> os.stat_result | None:
        """Return the stat of a watched folder itself."""
        opened = self._opened(watch)
        return os.fstat(opened) if opened >= 0 else None

    def device(self, watch: int) -> int:
        """Return the device of a watched folder, 0 if it is elsewhere."""
        look = self.of(watch)
        return look.st_dev if look is not None else 0

    def is_open(self, watch: int) -> bool:
        """Tell whether a folder is where it should be."""
        return self._opened(watch) >= 0

    def open_folder(self, place: _Place, unsure: dict[_Place, int] | None) -> int | None:
        """Return a descriptor to list what is at a place with, None if that is no folder, or gone, or elsewhere."""
        opened = self._opened(place[0])
        if opened < 0:
            if unsure is not None:
                unsure.setdefault(place, 0)
            return None
        try:
            return os.open(place[1] or b".", _LIST, dir_fd=opened)
        except OSError:
            return None

    def remember(self, place: _Place, look: os.stat_result) -> None:
        """Note what is told of an object that was found, to not tell it once more."""
        self._known[place] = _mark(look)

    def doubt(self, place: _Place) -> None:
        """Forget what was told of a place: its name was taken away, or given to something else."""
        self._known.pop(place, None)

    def forget(self) -> None:
        """Forget what was told: no event of the time before is waiting any more."""
        self._known.clear()

    def close(self) -> None:
        """Close the descriptors."""
        for opened in self._open.values():
            os.close(opened)
        self._open.clear()

    def _target(self, place: _Place) -> bytes | None:
        opened = self._opened(place[0])
        try:
            return os.readlink(place[1], dir_fd=opened) if opened >= 0 else None
        except OSError:
            return None

    def _opened(self, watch: int) -> int:
        opened = self._open.get(watch)
        if opened is None:
            opened = self._open_now(watch)
            if len(self._open) >= _OPEN:
                self.close()
            if opened >= 0:
                self._open[watch] = opened
        return opened

    def _open_now(self, watch: int) -> int:
        known = watch in self._folders
        path = self._folders.path(watch) if known else self.gate_paths.get(watch)
        if path is None:
            return -1
        try:
            opened = os.open(path, _PATH)
        except OSError:
            return -1
        if known and os.fstat(opened).st_ino != self._folders.inode(watch):
            os.close(opened)
            return -1
        return opened


def _mark(look: os.stat_result) -> tuple[int, int, int]:
    return look.st_ino, look.st_ctime_ns, look.st_size
