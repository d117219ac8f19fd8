"""The watched folders by their watch: where a watch is now, without asking the kernel. Pure.

An entry is the watch of the folder above and a name, so a renamed subtree is one changed entry. A *gate* is a folder
outside the scope in which single names are roots.

>>> folders = Folders()
>>> folders.put_root(1, b"/srv", 10); folders.put(2, 1, b"a", 11); folders.put(3, 2, b"b", 12)
>>> folders.path(3, b"f")
b'/srv/a/b/f'
>>> folders.put(2, 1, b"z", 11); folders.path(3)
b'/srv/z/b'
>>> sorted(folders.drop(2)), folders.path(3)
([2, 3], None)
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Folder:
    """One watched folder; a root has no folder above it and its whole path as name."""

    above: int  # watch, 0 of a root
    name: bytes
    inode: int
    below: dict[bytes, int] = field(default_factory=dict)  # names of watched folders in it


class Folders:
    """Watched folders."""

    def __init__(self) -> None:
        self._folders: dict[int, Folder] = {}
        self._paths: dict[int, bytes] = {}
        self._roots: dict[bytes, int] = {}  # paths of roots to their watches
        self.gates: dict[
            int, dict[bytes, bytes]
        ] = {}  # watch (or -1, -2 … of one that there is none for) to roots by name

    def __len__(self) -> int:
        return len(self._folders)

    def __contains__(self, watch: int) -> bool:
        return watch in self._folders

    def put_root(self, watch: int, path: bytes, inode: int) -> None:
        """Enter a root."""
        self._enter(watch, 0, path, inode)
        self._roots[path] = watch

    def put(self, watch: int, above: int, name: bytes, inode: int) -> None:
        """Enter a folder, or move it with all below. Another folder that had the name stays, without a name."""
        if above not in self._folders:
            self.put_root(watch, self.gates[above][name], inode)
            return
        self._enter(watch, above, name, inode)
        self._folders[above].below[name] = watch

    def has_root(self, path: bytes) -> bool:
        """Tell whether a root is entered."""
        return path in self._roots

    def watch(self, above: int, name: bytes) -> int:
        """Return the watch of a folder by its place, 0 if none is watched there."""
        folder = self._folders.get(above)
        if folder is not None:
            found = folder.below.get(name, 0)
        else:
            found = self._roots.get(self.gates.get(above, {}).get(name, b""), 0)
        return found if found in self._folders else 0

    def names(self, watch: int) -> set[bytes]:
        """Return the names of the watched folders in a folder."""
        return set(self._folders[watch].below)

    def inode(self, watch: int) -> int:
        """Return the inode of a watched folder."""
        return self._folders[watch].inode

    def place(self, watch: int) -> tuple[int, bytes]:
        """Return the watch of the folder above, 0 above a root, and the name there."""
        folder = self._folders[watch]
        return folder.above, folder.name

    def path(self, watch: int, name: bytes = b"") -> bytes | None:
        """Return the path of a folder or of a name in it; None if it is not in scope, or not any more."""
        folder = self._paths.get(watch)
        if folder is None:
            folder = self._resolved(watch)
            if folder is None:
                return self.gates[watch].get(name) if watch in self.gates else None
            self._paths[watch] = folder
        return folder + name if name and folder == b"/" else folder + b"/" + name if name else folder

    def drop(self, watch: int) -> list[int]:
        """Forget a folder with all below; return the watches of all of them."""
        gone, waiting = [], [watch]
        while waiting:
            folder = self._folders.pop(waiting[-1], None)
            gone.append(waiting.pop())
            if folder is not None:
                if gone[-1] == watch:
                    self._unname(watch, folder)
                waiting += folder.below.values()
        self._paths.clear()
        return gone

    def unname(self, watch: int) -> None:
        """Let a folder have no place until it is put somewhere again."""
        self._unname(watch, self._folders[watch])
        self._paths.clear()

    def forget(self, watch: int) -> None:
        """Forget one folder that was removed, and so has nothing below it."""
        folder = self._folders.pop(watch, None)
        self._paths.pop(watch, None)
        if folder is not None:
            self._unname(watch, folder)

    def clear(self) -> None:
        """Forget everything."""
        for known in (self._folders, self._paths, self._roots, self.gates):
            known.clear()

    def gated(self, path: bytes) -> bool:
        """Tell whether the folder above a root is watched."""
        return any(path in names.values() for watch, names in self.gates.items() if watch > 0)

    def all(self) -> set[int]:
        """Return all watches, those of gates too."""
        return {*self._folders, *(gate for gate in self.gates if gate > 0)}

    def _enter(self, watch: int, above: int, name: bytes, inode: int) -> None:
        before = self._folders.get(watch)
        if before is None:
            self._folders[watch] = Folder(above, name, inode)
            self._paths.pop(watch, None)
        else:
            self._unname(watch, before)
            before.above, before.name = above, name
            self._paths.clear()

    def _unname(self, watch: int, folder: Folder) -> None:
        upper = self._folders.get(folder.above)
        if not folder.above and self._roots.get(folder.name) == watch:
            del self._roots[folder.name]
        elif upper is not None and upper.below.get(folder.name) == watch:
            del upper.below[folder.name]

    def _resolved(self, watch: int) -> bytes | None:
        names: list[bytes] = []
        seen: set[int] = set()
        while True:
            folder = self._folders.get(watch)
            if folder is None or watch in seen:
                return None
            seen.add(watch)
            if not folder.above:
                if self._roots.get(folder.name) != watch:
                    return None
                return folder.name if not names else folder.name.rstrip(b"/") + b"/" + b"/".join(reversed(names))
            upper = self._folders.get(folder.above)
            if upper is None or upper.below.get(folder.name) != watch:
                return None  # another folder has its name: it went, or is about to be told where it is
            names.append(folder.name)
            watch = folder.above
