"""The folders in scope by their file handles: where a handle is now, without asking the kernel.

Comes in: what events say of folders: made, renamed, removed. Goes out: the path of a handle, or None outside the scope.
An entry is the key of the folder above and a name, so a renamed subtree is one changed entry, and events about
folders that are gone already still have a path. Paths are remembered until any folder is renamed. Pure.

A folder can be *closed*: what is below it is known and has no path, as if it were outside, until it is opened again.

A *gate* is a folder outside the scope in which single names are roots: it has no path but for those names.

>>> table = HandleTable()
>>> table.put_root(b"R", b"/srv")
>>> table.put(b"A", b"R", b"a"); table.put(b"B", b"A", b"b")
>>> table.path(b"B", b"f")
b'/srv/a/b/f'
>>> table.put(b"A", b"R", b"z"); table.path(b"B", b"f")
b'/srv/z/b/f'
>>> table.drop(b"A"); table.path(b"B", b"f") is None
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Container

_SWEEP_AFTER: Final = 1_000
"""Folders that left the scope after which what was below them is looked for and forgotten."""
_DEPTH: Final = 10_000
"""Folders above a folder; more are a ring, which a file system does not have."""


class HandleTable:
    """Folders by key."""

    def __init__(self) -> None:
        self._entries: dict[bytes, tuple[bytes | None, bytes]] = {}
        self._prefixes: dict[bytes, bytes] = {}  # path of a folder with a slash behind it
        self._closed: set[bytes] = set()
        self._gates: dict[bytes, dict[bytes, bytes]] = {}
        self._left = 0  # entries that were cut off since the last sweep, with all below them

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        return key in self._entries

    def put_root(self, key: bytes, path: bytes) -> None:
        """Enter a root by its whole path."""
        self._entries[key] = (None, path)
        self._prefixes.clear()

    def put_gate(self, key: bytes, name: bytes, path: bytes) -> None:
        """Enter a name in a folder outside the scope that is a root."""
        self._gates.setdefault(key, {})[name] = path

    def put(self, key: bytes, above: bytes, name: bytes) -> None:
        """Enter a folder, or move it with all below."""
        gate = self._gates.get(above)
        if gate is not None and name in gate and above not in self._entries:
            self.put_root(key, gate[name])
            return
        before = self._entries.get(key)
        if before == (above, name):
            return
        self._entries[key] = (above, name)
        if before is not None:
            self._prefixes.clear()
        else:
            self._prefixes.pop(key, None)

    def drop(self, key: bytes) -> None:
        """Forget a folder; what is below it has no path any more."""
        if self._entries.pop(key, None) is not None:
            self._prefixes.clear()
            self._left += 1
            if self._left >= _SWEEP_AFTER:
                self._sweep()

    def close(self, key: bytes) -> None:
        """Give no paths below a folder any more."""
        self._closed.add(key)
        self._prefixes.clear()

    def open(self, key: bytes) -> None:
        """Give paths below a folder again."""
        self._closed.discard(key)

    def forget(self, key: bytes) -> None:
        """Forget a folder that was removed, and so has nothing below it."""
        self._entries.pop(key, None)
        self._prefixes.pop(key, None)

    def entry(self, key: bytes) -> tuple[bytes | None, bytes]:
        """Return the folder above a known folder, None above a root, and its name there."""
        return self._entries[key]

    def prefix(self, key: bytes) -> bytes | None:
        """Return the path of a folder with a slash behind it, None outside the scope."""
        found = self._prefixes.get(key)
        if found is None and key in self._entries:
            found = self._resolved(key, self._closed)
            if found is not None:
                self._prefixes[key] = found
        return found

    def anywhere(self, key: bytes, name: bytes) -> bytes | None:
        """Return the path of a name in a folder, closed or not."""
        prefix = self._resolved(key, ())
        return None if prefix is None else prefix + name

    def path(self, key: bytes, name: bytes) -> bytes | None:
        """Return the path of a name in a folder, None outside the scope."""
        prefix = self.prefix(key)
        if prefix is not None:
            return prefix + name
        return self._gates[key].get(name) if key in self._gates else None

    def _resolved(self, key: bytes, closed: Container[bytes]) -> bytes | None:
        names = [b""]
        seen = 0
        above: bytes | None = key
        while above is not None:
            entry = self._entries.get(above)
            seen += 1
            if entry is None or seen > _DEPTH or above in closed:
                return None
            above, name = entry
            names.append(name if above is not None else name.rstrip(b"/"))
        return b"/".join(reversed(names))

    def clear(self) -> None:
        """Forget every folder; gates stay."""
        self._entries.clear()
        self._closed.clear()
        self._prefixes.clear()

    def _sweep(self) -> None:
        """Forget what is cut off."""
        self._entries = {key: self._entries[key] for key in self._entries if self._resolved(key, ()) is not None}
        self._closed &= self._entries.keys()
        self._left = 0
