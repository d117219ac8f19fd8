"""Folders of which the events that wait say something else than what is there: closed, led astray, told too early.

A folder that comes into scope is entered as it is now, while older events about it may wait: their paths would be of
the future. So it is closed: those events only change the table, and tell nothing. When they are over it is opened, and
walked where it is then.
"""

from __future__ import annotations

import os
import stat as modes
from typing import TYPE_CHECKING

from tailrace.sources.file_events import backend as bits

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.sources.file_events.backend import News, Reason
    from tailrace.sources.file_events.fanotify_folders import FanotifyFolders
    from tailrace.sources.file_events.settle import Settler


class Strays:
    """Keeps folders closed, and finds those again that were renamed without an event.

    `waits(until)` tells whether events before a number wait; `horizon()` is the number after all that wait now.
    """

    def __init__(
        self,
        folders: FanotifyFolders,
        settler: Settler,
        horizon: Callable[[], int],
        waits: Callable[[int], bool],
    ) -> None:
        self.renamed: set[bytes] = set()  # folders that were renamed since the queue was empty
        self.told_anew = 0
        self._folders = folders
        self._table = folders.table
        self._settler = settler
        self._horizon = horizon
        self._waits = waits
        self._closed: dict[bytes, tuple[int, Reason]] = {}  # folders to open when so many events were seen
        self._foretold: dict[bytes, bytes] = {}  # folders told at a path which waiting events may still change

    def clear(self) -> None:
        """Forget all: everything is entered anew."""
        self.renamed.clear()
        self._closed.clear()
        self._foretold.clear()

    def come_in(self, key: bytes, reason: Reason) -> None:
        """Enter a folder with all below it, closed until the events that wait now are over."""
        self._folders.enter(key)
        self._table.close(key)
        self._closed[key] = (self._horizon(), reason)

    def open_again(self, news: News) -> None:
        """Open the folders about which no older event waits, and have them walked where they are."""
        for key, (until, reason) in list(self._closed.items()):
            if self._waits(until):
                continue
            del self._closed[key]
            self._table.open(key)
            prefix = self._table.prefix(key)
            if prefix is not None:  # else it is gone, or below another one that is closed
                news.walk.append((prefix[:-1] or b"/", reason))
        for key in self._closed:
            path = self._table.anywhere(key, b"")
            if path is not None:
                news.silent.append(path[:-1])

    def check_foretold(self, news: News) -> None:
        """Tell anew what is at a path at which a folder was told, if older events have led it elsewhere since.

        They were passed over in silence, the folder being closed, or the one above it not even known.
        """
        for key, told in list(self._foretold.items()):
            where = self._table.anywhere(key, b"")
            if key in self._closed or (self._table.prefix(key) is None and where == told + b"/"):
                continue
            del self._foretold[key]
            if where != told + b"/" and not self._folders.left_out(told):
                self._tell_anew(told, news)

    def look_for_renamed(self, news: News) -> None:
        """Make good renames of folders that were not told, nothing waiting any more.

        The kernel adds a rename to one of the same folder between the same names that waits: of `mv a b; mv b a;
        mv a b` the last one is not told, and events of things below name paths that are not theirs. So each folder is
        looked for where it should be, and both that place and the one where it is are told and walked anew.
        """
        astray, self.renamed = self.renamed, set()
        places: dict[bytes, None] = {}
        for key in astray:
            prefix = self._table.prefix(key)
            told = None if prefix is None else prefix[:-1] or b"/"
            if told is None and self._table.anywhere(key, b"") is not None:
                self.renamed.add(key)  # closed: when it is open again
                continue
            if told is not None and self._folders.is_at(key, told):
                continue
            where = self._folders.where(key)
            if where != told:
                self._table.drop(key)
                places.update(dict.fromkeys(path for path in (told, where) if path is not None))
        for path in sorted(places):
            if not self._folders.left_out(path):
                self._tell_anew(path, news)

    def _tell_anew(self, path: bytes, news: News) -> None:
        """Tell what is at a path, and that nothing counts any more that was told of it; a folder is walked."""
        self.told_anew += 1
        above, name = os.path.split(path)
        try:
            found = os.lstat(path)
            upper = self._folders.key_of(above)
            if not modes.S_ISDIR(found.st_mode):
                self._settler.doubtful.add((upper, name))
                news.changes.add(bits.DELETED | bits.FOLDER | bits.SYNTHETIC, path)
                return
            key = self._folders.key_of(path)
        except OSError:
            news.changes.add(bits.DELETED | bits.FOLDER | bits.SYNTHETIC, path)
            return
        what = bits.DELETED | bits.CREATED | bits.FOLDER | bits.SYNTHETIC
        news.changes.add(what, path, found, inode=found.st_ino)
        self._table.put(key, upper, name)
        self.come_in(key, "moved_in")
        self._foretold[key] = path
