"""Look at what stands at a path, and at what else is in its folder.

A folder is listed at most once between two calls of `Folders.clear`. What cannot be seen is as good as not there,
except for `why_unseen`, which tells the two apart.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.sources.tail import filestat
from tailrace.sources.tail.rotation import rotated_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tailrace.sources.tail.filestat import Seen
    from tailrace.sources.tail.identity import FileId

_NEAR: Final = 64  # folders below that of a log, and as many beside it, to which it may have been rotated


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder's paths by inode number, those with a rotated name by the name that it may come from, its folders."""

    folder: str
    numbers: dict[int, str]
    rotated: dict[str, list[str]]
    folders: list[str]


class Folders:
    """Listings of folders, kept while one decision is made."""

    def __init__(self) -> None:
        self._listed: dict[str, Listing] = {}
        self._changed_ns: dict[str, int] = {}

    def clear(self) -> None:
        """Forget what was listed: time has passed."""
        self._listed.clear()
        self._changed_ns.clear()

    def fresh_listing(self, folder: str) -> Listing:
        """Return what is in a folder now; it is listed again only if a name came or went since it was listed last."""
        changed_ns = _changed_ns(folder)
        if self._changed_ns.get(folder) != changed_ns or folder not in self._listed:
            self._listed.pop(folder, None)
            self._changed_ns[folder] = changed_ns
        return self.listing(folder)

    def listing(self, folder: str) -> Listing:
        """Return what is in a folder; an unreadable one is empty."""
        if folder not in self._listed:
            self._listed[folder] = _list(folder)
        return self._listed[folder]

    def near(self, folder: str) -> Iterator[Listing]:
        """Yield what is where logs of a folder are rotated to: there, in the folders below, in those beside it.

        `olddir` of logrotate names any of the three as a rule.
        """
        here = self.listing(folder)
        yield here
        beside = [] if folder in {"", "/"} else self.listing(os.path.dirname(folder)).folders
        for other in (*here.folders[:_NEAR], *beside[:_NEAR]):
            if other != folder:
                yield self.listing(other)


def plain(path: str) -> Seen | None:
    """Return the plain file at a path, None if there is none or it cannot be seen."""
    try:
        seen = filestat.see(path)
    except OSError:
        return None
    return seen if seen.found.regular else None


def is_at(path: str, number: FileId) -> bool:
    """Tell whether a path leads to a certain file."""
    seen = plain(path)
    return seen is not None and number.same(seen.number)


def why_unseen(path: str) -> str:
    """Return what stands against a look at a path, nothing if it is just not there."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _list(folder: str) -> Listing:
    numbers: dict[int, str] = {}
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                numbers[entry.inode()] = entry.path
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    except OSError:
        pass
    rotated: dict[str, list[str]] = {}
    for path in numbers.values():
        for name in rotated_from(path):
            rotated.setdefault(name, []).append(path)
    return Listing(folder, numbers, rotated, folders)
