"""Walk one tree, in steps: list its directories, `lstat` every entry. Follows no symlink, changes nothing.

Comes in: a root and a scope. Goes out: `Found`, lists of what a step saw. A directory is opened without following a
link and must be the one that was seen before; its entries are looked at through its descriptor: no path is resolved
twice, so nothing that is renamed meanwhile leads out of the tree. What vanishes under way is left out, what refuses
is named with the reason.

The walk goes over to another file system only when it is asked to. What waits is a list of paths (`state`): a walk
that was interrupted goes on from it, and looks again at a directory that it was in the middle of.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tailrace.sources.file_events.scope import Scope

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REFUSED: Final = 10_000  # places that are named with a reason; beyond, they are only counted


@dataclass(slots=True)
class Found:
    """What a step saw. Paths are as `os.fsdecode` gives them; `targets` of symlinks go by the place in the lists."""

    paths: list[str] = field(default_factory=list)
    stats: list[os.stat_result] = field(default_factory=list)
    targets: dict[int, str] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)  # directories that were listed to their end
    begun: list[str] = field(default_factory=list)  # directories whose listing was begun, not later than `listed`


@dataclass(frozen=True, slots=True)
class _Folder:
    """A directory that waits to be listed; without numbers it is taken as it is found."""

    path: str
    device: int | None = None
    inode: int | None = None


class _Entry(Protocol):
    """What is used of `os.DirEntry`."""

    @property
    def name(self) -> str: ...
    def stat(self, *, follow_symlinks: bool) -> os.stat_result: ...


class _Entries(Protocol):
    """What `os.scandir` returns."""

    def __iter__(self) -> Iterator[_Entry]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Name:
    """An entry of an open directory that is known without a listing."""

    name: str
    handle: int

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        return os.stat(self.name, dir_fd=self.handle, follow_symlinks=follow_symlinks)


class _Names:
    """The entries of an open directory that need not be listed; goes on where it stopped, as a listing does."""

    def __init__(self, names: Sequence[str], handle: int) -> None:
        self._entries = iter([_Name(name, handle) for name in names])

    def __iter__(self) -> Iterator[_Entry]:
        return self._entries

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class _Listing:
    """A directory that is being listed."""

    folder: str
    prefix: str
    handle: int
    entries: _Entries


class Walker:
    """One walk over one root."""

    def __init__(
        self,
        root: str,
        scope: Scope | None = None,
        *,
        cross_mounts: bool = False,
        names: Callable[[str, os.stat_result], Sequence[str] | None] | None = None,
    ) -> None:
        self.root = root
        self._names = names  # of an open directory that need not be listed
        self.refused: list[tuple[str, str]] = []
        self.refusals = 0
        self.vanished = 0
        self._scope = scope
        self._scope_root = os.fsencode(root) if scope is None else scope.root_of(os.fsencode(root)) or b"/"
        self._every = scope is not None and scope.patterns  # else only folders need to be asked about
        self._cross_mounts = cross_mounts
        self._device: int | None = None
        self._waiting: list[_Folder] = []
        self._listing: _Listing | None = None
        self._begun = False

    @property
    def done(self) -> bool:
        """Whether everything was looked at."""
        return self._begun and not self._waiting and self._listing is None

    @property
    def open_folder(self) -> str | None:
        """The directory whose listing goes on in the next step."""
        return None if self._listing is None else self._listing.folder

    def state(self) -> list[str]:
        """Return the directories that wait, to go on from after an interruption."""
        if not self._begun:
            return [self.root]
        return [folder.path for folder in self._waiting] + ([self._listing.folder] if self._listing else [])

    def resume(self, state: Sequence[str]) -> None:
        """Go on from a state instead of beginning at the root, whose own row was told."""
        self._begun = True
        self._waiting = [_Folder(path) for path in state]

    def step(self, entries: int) -> Found:
        """Look at about so many entries more."""
        found = Found()
        if not self._begun:
            self._begin(found)
        while len(found.paths) < entries:
            if self._listing is None and not self._enter(found):
                break
            self._list(found, entries)
        return found

    def close(self) -> None:
        """Release what is open."""
        if self._listing is not None:
            self._listing.entries.close()
            os.close(self._listing.handle)
            self._listing = None

    def refuse(self, path: str, error: OSError) -> None:
        """Note a place that cannot be looked at."""
        self.refusals += 1
        if len(self.refused) < _REFUSED:
            self.refused.append((path, error.strerror or str(error)))

    def _begin(self, found: Found) -> None:
        self._begun = True
        try:
            look = os.lstat(self.root)
        except (FileNotFoundError, NotADirectoryError):
            self.vanished += 1
            return
        except OSError as error:
            self.refuse(self.root, error)
            return
        self._device = look.st_dev
        self._take(self.root, look, found, None)

    def _enter(self, found: Found) -> bool:
        """Open the next directory that waits; tell whether there is one."""
        while self._waiting:
            folder = self._waiting.pop()
            try:
                handle = os.open(folder.path, _OPEN)
            except (FileNotFoundError, NotADirectoryError):
                self.vanished += 1
                continue
            except OSError as error:
                self.refuse(folder.path, error)
                continue
            if self._is(folder, handle):
                try:
                    listing = self._entries(folder.path, handle)
                except OSError as error:
                    self.refuse(folder.path, error)
                else:
                    prefix = folder.path if folder.path.endswith("/") else folder.path + "/"
                    self._listing = _Listing(folder.path, prefix, handle, listing)
                    found.begun.append(folder.path)
                    return True
            os.close(handle)
        return False

    def _entries(self, path: str, handle: int) -> _Entries:
        names = None if self._names is None else self._names(path, os.fstat(handle))
        return os.scandir(handle) if names is None else _Names(names, handle)

    def _is(self, folder: _Folder, handle: int) -> bool:
        """Tell whether an open directory is the one that was seen; else it was replaced, and others tell of that."""
        look = os.fstat(handle)
        if folder.inode is not None and (look.st_dev, look.st_ino) != (folder.device, folder.inode):
            self.vanished += 1
            return False
        if self._device is None:
            self._device = look.st_dev
        return True

    def _list(self, found: Found, entries: int) -> None:
        """Look at the entries of the open directory, to its end or until the step is full."""
        listing = self._listing
        assert listing is not None
        prefix, handle, every, paths, take = listing.prefix, listing.handle, self._every, found.paths, self._take
        try:
            for entry in listing.entries:
                path = prefix + entry.name
                if every and self._leaves_out(path):
                    continue
                try:
                    look = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    self.vanished += 1
                    continue
                take(path, look, found, handle)
                if len(paths) >= entries:
                    return
            found.listed.append(listing.folder)
        except OSError as error:  # of the listing, or of all its entries: nothing says what is not there
            self.refuse(listing.folder, error)
        self.close()

    def _leaves_out(self, path: str) -> bool:
        return self._scope is not None and self._scope.leaves_out(os.fsencode(path), self._scope_root)

    def _take(self, path: str, look: os.stat_result, found: Found, handle: int | None) -> None:
        kind = stat.S_IFMT(look.st_mode)
        if kind == stat.S_IFDIR:
            if not self._every and self._leaves_out(path):
                return
            if self._cross_mounts or look.st_dev == self._device:
                self._waiting.append(_Folder(path, look.st_dev, look.st_ino))
        elif kind == stat.S_IFLNK:
            try:
                target = os.readlink(path if handle is None else os.path.basename(path), dir_fd=handle)
            except OSError:
                target = ""  # it vanished, or is another thing by now
            if target:
                found.targets[len(found.paths)] = target
        found.paths.append(path)
        found.stats.append(look)
