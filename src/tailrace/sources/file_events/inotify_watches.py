"""The watches of one inotify queue: on every folder below the roots, and on the folders above the roots.

Comes in: places (watch, name) where a folder came. Goes out: watches on it and on all folders below, and what is in
them already. A folder is watched first and listed then, by a descriptor of it: neither a rename nor a link meanwhile
leads elsewhere. Folders for which there is no watch left are named in `unwatched`.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.inotify_folders import Folders
from tailrace.sources.file_events.inotify_looks import Looks
from tailrace.syscalls import inotify as kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.sources.file_events.backend import News
    from tailrace.sources.file_events.inotify_looks import Batch
    from tailrace.sources.file_events.scope import Scope

_TOLD: Final = 5_000  # entries of one folder that came, with all below, which are told at once; a walk tells the rest
_TOLD_ALL: Final = 100_000  # the same, of all folders of one read
_NO_ROOM: Final = (errno.ENOSPC, errno.ENOMEM)

_Place = tuple[int, bytes]


class Watches:
    """The watched folders below some roots."""

    def __init__(self, scope: Scope, roots: Sequence[bytes]) -> None:
        self.queue = kernel.Queue()
        self.folders = Folders()
        self.looks = Looks(self.folders)
        self.unwatched: dict[bytes, str] = {}
        self.homeless: set[bytes] = set()  # roots whose folder is not there
        self.unsure: dict[_Place, int] = {}  # places that could not be looked at, and how often
        self.refused = 0
        self._scope = scope
        self._roots = tuple(roots)

    def close(self) -> None:
        """Give all watches back."""
        self.looks.close()
        self.queue.close()

    def begin(self) -> None:
        """Watch all roots; raises `OSError` for one that is there and cannot be watched."""
        for root in self._roots:
            self.enter(root)
            if not self.folders.has_root(root) and os.path.isdir(root) and not os.path.islink(root):
                why = self.unwatched.get(root, "it cannot be watched")
                raise OSError(errno.EACCES, why, os.fsdecode(root))

    def begin_anew(self) -> None:
        """Set every watch again: there may be too few, and at other places than known."""
        before = self.folders.all()
        for known in (self.unsure, self.unwatched, self.homeless, self.folders):
            known.clear()
        self.looks.forget()
        self.looks.close()
        for root in self._roots:
            self.enter(root)
        for watch in before - self.folders.all():
            self.queue.remove(watch)

    def drop(self, watch: int) -> None:
        """Stop watching a folder and all below."""
        for gone in self.folders.drop(watch):
            self.queue.remove(gone)

    def arrive(self, place: _Place, batch: Batch | None, news: News | None, why: int = 0) -> None:
        """Watch a folder with all below; tell what is in it already, or have it walked if that is much."""
        waiting = [(place, batch is not None)]
        most = 0 if batch is None else min(batch.found + _TOLD, _TOLD_ALL)
        while waiting:
            (above, name), told = waiting.pop()
            opened = self.looks.open_folder((above, name), self.unsure if batch is not None else None)
            if opened is None:
                continue
            try:
                watch = self._watch((above, name), opened, news if told else None)
                if watch:
                    waiting += self._list(watch, opened, batch if told else None, news, why, most)
            except OSError as error:
                self._refuse(error)
            finally:
                os.close(opened)

    def _watch(self, place: _Place, opened: int, news: News | None) -> int:
        """Watch an open folder; return 0 if there is no watch for it, or it is on another file system."""
        look = os.fstat(opened)
        path = self.folders.path(*place)
        if path is None or (place[0] in self.folders and self.looks.device(place[0]) != look.st_dev):
            return 0
        try:
            watch = self.queue.add(b"/proc/self/fd/%d" % opened)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            self.unwatched[path] = f"no watches left ({error.strerror}); see fs.inotify.max_user_watches"
            if news is not None:
                news.walk.append((path, "unwatched"))
            return 0
        before = self.folders.watch(*place)
        if before not in (0, watch):
            self.drop(before)
        self.folders.put(watch, *place, look.st_ino)
        return watch

    def _list(
        self, watch: int, opened: int, batch: Batch | None, news: News | None, why: int, most: int
    ) -> list[tuple[_Place, bool]]:
        """Return the folders in a folder, and tell all its entries; they are to be told below as well, or not."""
        found: list[bytes] = []
        here = self.folders.path(watch)
        with os.scandir(opened) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                folder = entry.is_dir(follow_symlinks=False)
                path = (here or b"").rstrip(b"/") + b"/" + name
                if (folder or self._scope.patterns) and self.leaves_out(path):
                    continue
                if folder:
                    found.append(name)
                if batch is None or news is None:
                    continue
                if batch.found >= most:
                    news.walk.append((here or b"", "unwatched"))
                    batch = None
                    continue
                self._tell(batch, (watch, name), path, entry, why)
        for name in self.folders.names(watch) - set(found):
            self.drop(self.folders.watch(watch, name))  # it went on: an event says where to, and it arrives there
        return [((watch, name), batch is not None) for name in found]

    def _tell(self, batch: Batch, place: _Place, path: bytes, entry: os.DirEntry[str], why: int) -> None:
        try:
            look = entry.stat(follow_symlinks=False)
        except OSError:
            return
        folder = bits.FOLDER if modes.S_ISDIR(look.st_mode) else 0
        batch.add_found(bits.CREATED | bits.SYNTHETIC | why | folder, path, place, look)
        self.looks.remember(place, look)

    def _refuse(self, error: OSError) -> None:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            self.refused += 1

    def enter(self, root: bytes) -> None:
        """Watch a root and the folder above, in which it may come and go."""
        above, name = os.path.split(root)
        self.homeless.discard(root)
        gate = -1 - self._roots.index(root)
        if name:
            try:
                gate = self.queue.add(above)
            except PermissionError:  # it is watched as long as it is there
                pass
            except (FileNotFoundError, NotADirectoryError):
                self.homeless.add(root)
                return
        self.folders.gates.setdefault(gate, {})[name] = root
        self.looks.gate_paths[gate] = above
        self.arrive((gate, name), None, None)

    def find_homes(self, news: News) -> None:
        """Look for the folders above of roots that are not there."""
        for root in list(self.homeless):
            self.enter(root)
            if root not in self.homeless and os.path.lexists(root):
                news.walk.append((root, "moved_in"))

    def leaves_out(self, path: bytes) -> bool:
        """Tell whether a path is not meant."""
        root = self._scope.root_of(path)
        return root is None or self._scope.leaves_out(path, root)
