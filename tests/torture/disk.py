"""A disk with a cache that forgets: what may be left of a folder after a power cut at any operation.

`Disk` does every operation on real files and remembers beside them what is only in the cache: writes before their
`fsync`, names before the `fsync_dir` of their folder. `remains` gives each state that a file system may leave of that:
nothing of it, all of it, a part of the last write, later writes without earlier ones, lengths without bytes, names
without content. A kill is the case in which the whole cache survives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tailrace.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Content = dict[str, bytes]
"""Names in the folder, and what is in them."""


class Crash(BaseException):
    """The process is gone: nothing catches it, and nothing is tidied up."""


@dataclass(slots=True)
class _Inode:
    """A file: what is on the disk, and the writes that are not (offset and bytes; no bytes cut it there)."""

    durable: bytes = b""
    cached: list[tuple[int, bytes | None]] = field(default_factory=list)

    def now(self) -> bytes:
        return _after(self.durable, self.cached)


def _after(content: bytes, writes: list[tuple[int, bytes | None]]) -> bytes:
    for at, data in writes:
        if data is None:
            content = content[:at].ljust(at, b"\0")
        else:
            content = content.ljust(at, b"\0")
            content = content[:at] + data + content[at + len(data) :]
    return content


@dataclass(slots=True)
class Disk(Files):
    """The files of one flat folder; operation number `at` fails by `fault`, with `torn` bytes of a write done."""

    folder: Path
    at: int = 1 << 30
    fault: BaseException = field(default_factory=Crash)
    torn: int | None = None
    done: list[str] = field(default_factory=list)
    _names: dict[str, _Inode] = field(default_factory=dict)
    _durable_names: dict[str, _Inode] = field(default_factory=dict)
    _name_changes: list[tuple[str, _Inode | None]] = field(default_factory=list)

    @property
    def hit(self) -> bool:
        return len(self.done) > self.at

    def put(self, content: Content) -> None:
        """Begin with durable files."""
        for name, data in content.items():
            self._names[name] = self._durable_names[name] = _Inode(data)
            (self.folder / name).write_bytes(data)

    # --- operations -----------------------------------------------------------------------------

    def _operation(self, what: str, action: Callable[[], object], part: Callable[[int], object] | None = None) -> None:
        dead = isinstance(self.fault, Crash) and self.hit
        if dead:
            raise Crash
        self.done.append(what)
        if len(self.done) != self.at + 1:
            action()
            return
        if part is not None and self.torn is not None:
            part(self.torn)
        raise self.fault

    def makedirs(self, path: Path) -> None:
        Files.makedirs(self, path)

    def write(self, path: Path, data: bytes) -> None:
        def put(length: int | None = None) -> None:
            inode = self._inode(path)
            inode.cached += [(0, None), (0, data[:length])]
            path.write_bytes(inode.now())

        self._operation(f"write {path.name}", put, put)

    def append(self, path: Path, data: bytes) -> None:
        def put(length: int | None = None) -> None:
            inode = self._inode(path)
            inode.cached.append((len(inode.now()), data[:length]))
            path.write_bytes(inode.now())

        self._operation(f"append {path.name}", put, put)

    def truncate(self, path: Path, size: int) -> None:
        def cut() -> None:
            inode = self._inode(path)
            inode.cached.append((size, None))
            path.write_bytes(inode.now())

        self._operation(f"truncate {path.name}", cut)

    def fsync(self, path: Path) -> None:
        def sync() -> None:
            inode = self._names[path.name]
            inode.durable, inode.cached = inode.now(), []

        self._operation(f"fsync {path.name}", sync)

    def fsync_dir(self, path: Path) -> None:
        def sync() -> None:
            self._durable_names, self._name_changes = dict(self._names), []

        self._operation(f"fsync_dir {path.name}", sync)

    def rename(self, source: Path, target: Path) -> None:
        def move() -> None:
            Files.rename(self, source, target)
            inode = self._names[source.name]
            self._name(target.name, inode)
            self._name(source.name, None)

        self._operation(f"rename {source.name}", move)

    def link(self, source: Path, target: Path) -> None:
        def add() -> None:
            Files.link(self, source, target)
            self._name(target.name, self._names[source.name])

        self._operation(f"link {source.name}", add)

    def unlink(self, path: Path) -> None:
        def remove() -> None:
            Files.unlink(self, path)
            if path.name in self._names:
                self._name(path.name, None)

        self._operation(f"unlink {path.name}", remove)

    def _inode(self, path: Path) -> _Inode:
        if path.name not in self._names:
            self._name(path.name, _Inode())
        return self._names[path.name]

    def _name(self, name: str, inode: _Inode | None) -> None:
        self._name_changes.append((name, inode))
        _rename(self._names, name, inode)

    # --- after a power cut ----------------------------------------------------------------------

    def remains(self) -> Iterator[Content]:
        """Yield every different state in which the folder may be found again, the one after a mere kill first."""
        seen: list[Content] = []
        for names in self._names_left():
            for keep in _KEEPS:
                content = {name: keep(inode) for name, inode in names.items()}
                if content not in seen:
                    seen.append(content)
                    yield content

    def _names_left(self) -> Iterator[dict[str, _Inode]]:
        """Yield the names that may be left: with all changes, then with fewer of them, as a journal replays them."""
        for count in range(len(self._name_changes), -1, -1):
            names = dict(self._durable_names)
            for name, inode in self._name_changes[:count]:
                _rename(names, name, inode)
            yield names


def _rename(names: dict[str, _Inode], name: str, inode: _Inode | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


# --- what may be left of a file that was not synced -------------------------------------------------


def _all(inode: _Inode) -> bytes:
    return inode.now()


def _none(inode: _Inode) -> bytes:
    return inode.durable


def _lengths(inode: _Inode) -> bytes:
    """Keep the lengths of the writes and none of their bytes."""
    return _after(inode.durable, [(at, data and bytes(len(data))) for at, data in inode.cached])


def _newest(inode: _Inode) -> bytes:
    """Keep the newest write without those before it."""
    return _after(inode.durable, inode.cached[-1:])


def _torn(count: int, of: int) -> Callable[[_Inode], bytes]:
    """Keep all but the end of the newest write: `count` bytes of it, or a share if `of` is given."""

    def keep(inode: _Inode) -> bytes:
        if not inode.cached or (data := inode.cached[-1][1]) is None:
            return inode.now()
        length = len(data) * count // of if of else count if count >= 0 else len(data) + count
        return _after(inode.durable, [*inode.cached[:-1], (inode.cached[-1][0], data[: max(0, length)])])

    return keep


def _zeroed(count: int, of: int) -> Callable[[_Inode], bytes]:
    """The same, with NULs for the bytes that are missing, as a block that was never written reads."""

    def keep(inode: _Inode) -> bytes:
        return _torn(count, of)(inode).ljust(len(inode.now()), b"\0")

    return keep


def _swapped(inode: _Inode) -> bytes:
    """Keep the second half of the newest write, without the first."""
    if not inode.cached or (data := inode.cached[-1][1]) is None:
        return inode.now()
    half = len(data) // 2
    return _after(inode.durable, [*inode.cached[:-1], (inode.cached[-1][0], bytes(half) + data[half:])])


_PLACES = ((0, 0), (1, 0), (4, 0), (7, 0), (8, 0), (9, 0), (1, 4), (1, 2), (3, 4), (-1, 0))
_KEEPS: tuple[Callable[[_Inode], bytes], ...] = (
    _all,
    _none,
    _lengths,
    _newest,
    _swapped,
    *(_torn(*place) for place in _PLACES),
    *(_zeroed(*place) for place in _PLACES),
)
