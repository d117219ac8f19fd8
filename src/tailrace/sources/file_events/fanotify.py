"""Changes by fanotify: one mark per file system, and a table of its folders by handle. Root only.

Comes in: raw events of the group. Goes out: `News`. The mark is set first, then the folders are entered into the
table, then events are read: what changed meanwhile is in the queue, and everything is an upsert by handle. A batch goes
through two passes: the first follows folders and gives every event the path of its time, the second looks at the
objects where they are now.
Which folders are in scope is the matter of `fanotify_folders`; those that come in and those that went astray, of
`fanotify_strays`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from tailrace import memory
from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.backend import Gap, News
from tailrace.sources.file_events.fanotify_folders import LIST, FanotifyFolders, standing
from tailrace.sources.file_events.fanotify_strays import Strays
from tailrace.sources.file_events.looks import inode_of
from tailrace.sources.file_events.settle import TOUCHES, Batch, Name, Settler
from tailrace.syscalls import fanotify as kernel
from tailrace.syscalls.fanotify_records import SELF, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.ecs import Provider
    from tailrace.sources.file_events.scope import Scope

_READ_BYTES: Final = 256 * 1024
_EVENT_BYTES: Final = 96
_QUEUE: Final = 4_000_000
"""Events that may wait in the kernel, 135 bytes each. More are thrown away and made good by a walk."""
_NAMELESS: Final = 10_000
_RECENT: Final = 64
"""Renames among which the first half of an exchange is looked for; the halves come one right after the other."""


def _bits(mask: int) -> int:
    found = bits.CREATED if mask & kernel.CREATE else 0
    found |= bits.DELETED if mask & kernel.DELETE else 0
    found |= bits.UPDATED if mask & (kernel.MODIFY | kernel.CLOSE_WRITE) else 0
    found |= bits.ATTRIBUTES if mask & kernel.ATTRIB else 0
    return found | (bits.FOLDER if mask & kernel.ON_FOLDER else 0)


class _Renamed(NamedTuple):
    """A rename that may be half of an exchange."""

    old: Name
    thing: bytes
    kind: int
    pid: int


class Fanotify:
    """Watches roots of one file system; implements `backend.Backend`."""

    provider: Provider = "fanotify"

    def __init__(self, scope: Scope, roots: Sequence[bytes], clock: Clock) -> None:
        self._scope = scope
        self._clock = clock
        self.roots: Sequence[bytes] = tuple(roots)
        self._nameless: dict[bytes, tuple[bytes, bytes] | None] = {}  # files made without a name, to where they are now
        self._masks: dict[int, int] = {}
        self._last_moved: dict[Name, _Renamed] = {}  # by new name
        self._overflows = 0
        self._seen = 0  # events that were read, and passed
        self._ahead = 0  # what will have been seen after this batch
        self._moved = False  # a folder changed its path in this batch
        self._last_ns = self._clock.now_ns()
        standing_place = standing(roots[0])
        self._place = os.open(standing_place, LIST | os.O_CLOEXEC)
        try:
            self._group = kernel.Group()
        except OSError:
            os.close(self._place)
            raise
        try:
            self._group.mark(standing_place)
            self._folders = FanotifyFolders(scope, self.roots, self._place)
            self._table = self._folders.table
            self._settler = Settler(self._folders, scope, self._place, kernel.handle_of(standing_place)[0][:8])
            self._strays = Strays(self._folders, self._settler, self._horizon, self._waits)
            self._folders.enter_roots()
            self._pass_over()
        except OSError:
            self.close()
            raise

    @property
    def handle(self) -> int | None:
        """Return the group's descriptor."""
        return self._group.handle

    def due_s(self, now_s: float) -> float | None:  # noqa: ARG002  the seam's
        """Return None: only news."""
        return None

    def unwatched(self) -> Sequence[tuple[bytes, str]]:
        """Return nothing: a mark sees the whole file system."""
        return ()

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what waits, and what happened besides events."""
        own = {"queue": self._group.waiting(), "watches": len(self._table), "overflows": self._overflows}
        strays = {"unresolved": self._folders.unresolved, "told_anew": self._strays.told_anew}
        return {**own, **strays, **self._settler.counts}

    def close(self) -> None:
        """Give the queue back."""
        self._group.close()
        os.close(self._place)

    def read(self, events: int) -> News:
        """Return at most about so many events."""
        news = News()
        if self._group.waiting() > _QUEUE:  # more than memory should hold
            self._begin_anew(news)
            return news
        data = []
        most = max(_READ_BYTES, events * _EVENT_BYTES)
        while most > 0 and (piece := self._group.read(_READ_BYTES)):
            data.append(piece)
            most -= len(piece)
        if data:
            news.more = most <= 0
            with memory.uncollected():
                self._take(b"".join(data), news)
            self._last_ns = self._clock.now_ns()
        self._strays.open_again(news)
        self._strays.check_foretold(news)
        if not news.more:
            self._strays.look_for_renamed(news)
            self._settler.quiet(news.changes)
        return news

    # --- first pass: folders, and paths of their time -------------------------------------------

    def _take(self, data: bytes, news: News) -> None:
        records = parse(data)
        batch = Batch()
        self._moved = False
        slow = kernel.RENAME | kernel.ON_FOLDER | kernel.OVERFLOW
        prefix_of, patterns, masks, add = self._table.prefix, self._scope.patterns, self._masks, batch.rows.append
        rows = zip(
            records.masks,
            records.pids,
            records.objects,
            records.folders,
            records.names,
            records.old_folders,
            records.old_names,
            strict=True,
        )
        self._ahead = self._seen + len(records.masks)
        for mask, pid, thing, folder, name, old_folder, old_name in rows:
            if mask & slow:
                if mask & kernel.OVERFLOW:  # what comes after it is about folders that nobody knows
                    self._settler.settle(batch, news.changes, moved=self._moved)
                    self._begin_anew(news)
                    return
                if mask & kernel.RENAME:
                    self._renamed(batch, mask, pid, thing, (folder, name), (old_folder, old_name))
                else:
                    self._folder(batch, mask, pid, thing, folder, name)
                continue
            if not folder:  # about an inode under no name: its links changed, and a named event says how
                batch.linked[inode_of(thing)] = (_bits(mask) & TOUCHES, pid)
                continue
            prefix = prefix_of(folder)
            path = prefix + name if prefix is not None else self._path(folder, name)
            if path is None or (patterns and self._folders.left_out(path)):
                batch.linked[inode_of(thing)] = (_bits(mask) & TOUCHES, pid)
                continue
            if name[:1] == b"#" or self._nameless:
                path, folder, name = self._named(mask, path, thing, folder, name)  # noqa: PLW2901
            what = masks.get(mask)
            if what is None:
                what = masks[mask] = _bits(mask)
            add((what, path, None, thing, folder, name, pid))
        self._seen = self._ahead
        self._settler.settle(batch, news.changes, moved=self._moved)

    def _folder(self, batch: Batch, mask: int, pid: int, thing: bytes, folder: bytes, name: bytes) -> None:
        """Take an event of a folder that is no rename."""
        if name == SELF:  # about itself
            prefix = self._table.prefix(folder)
            if prefix is not None and mask & kernel.ATTRIB:
                above, own = self._table.entry(folder)
                batch.add(bits.ATTRIBUTES | bits.FOLDER, prefix[:-1] or b"/", folder, above or b"", own, pid)
            return
        path = self._path(folder, name)
        what = _bits(mask)
        if path is None:
            self._change_unseen(what, thing, folder, name)
            return
        if self._folders.left_out(path):
            return
        if what & bits.DELETED:
            self._table.forget(thing)
        elif what & bits.CREATED and thing:
            self._table.put(thing, folder, name)
            if folder not in self._table:  # a root was made: there was no room for it in the table before
                self._strays.come_in(thing, "moved_in")
        batch.add(what, path, thing, folder, name, pid)

    def _change_unseen(self, what: int, thing: bytes, folder: bytes, name: bytes) -> None:
        """Follow folders below one that is closed; note those that are outside with the one above them."""
        if folder in self._table:
            where = self._table.anywhere(folder, name)
            if what & bits.DELETED:
                self._table.forget(thing)
            elif what & bits.CREATED and where is not None and not self._folders.left_out(where):
                self._table.put(thing, folder, name)
        elif what & bits.CREATED and folder in self._folders.outside:
            self._folders.outside.add(thing)

    def _renamed(
        self,
        batch: Batch,
        mask: int,
        pid: int,
        thing: bytes,
        new: tuple[bytes, bytes],
        old: tuple[bytes, bytes],
    ) -> None:
        """Take a rename: within the scope, out of it, or into it."""
        kind = _bits(mask) & ~(bits.CREATED | bits.DELETED)
        old_path = self._wanted(*old)
        self._settler.touched.add(old[0])
        known = thing in self._table
        if kind & bits.FOLDER:
            self._moved = True
            self._strays.renamed.add(thing)
            where = self._table.path(*new) or self._table.anywhere(*new)
            if where is None or self._folders.left_out(where):
                self._table.drop(thing)
            else:
                self._table.put(thing, *new)
                self._folders.outside.clear()
        new_path = self._wanted(*new)
        before = self._last_moved.pop(old, None)
        if before is not None and old_path is not None and self._is_exchange(before, thing, new, old, pid):
            self._exchanged(batch, pid, (thing, kind, new, new_path), (before.thing, before.kind, old, old_path))
            return
        if len(self._last_moved) >= _RECENT:
            self._last_moved.clear()
        if inode_of(thing) in self._settler.links:
            self._settler.doubtful.add(old)
        self._last_moved[new] = _Renamed(old, thing, kind, pid)
        self._settler.came.setdefault(new, set()).add(old)
        if new_path is None:
            if old_path is not None:
                self._settler.left.add(old)
                batch.add(kind | bits.DELETED | bits.MOVED_OUT, old_path, thing, b"", b"", pid)
            return
        if old_path is None:
            batch.add(kind | bits.CREATED | bits.MOVED_IN, new_path, thing, *new, pid)
        else:
            batch.add(kind | bits.MOVED, new_path, thing, *new, pid, old_path)
        if kind & bits.FOLDER and (old_path is None or not known):
            self._strays.come_in(thing, "moved_in")

    def _is_exchange(self, before: _Renamed, thing: bytes, new: Name, old: Name, pid: int) -> bool:
        """Tell whether a rename is the other half of one before it: another object goes where that one came from."""
        if before.old != new or before.thing == thing or before.pid != pid:
            return False
        return not before.kind & bits.FOLDER or (before.thing in self._table and self._table.entry(before.thing) == old)

    def _exchanged(self, batch: Batch, pid: int, *both: tuple[bytes, int, Name, bytes | None]) -> None:
        """Take the second half of an exchange: each is told anew where it is now, a folder with what is below it."""
        inside = [(thing, kind, place, path) for thing, kind, place, path in both if path is not None]
        folders = any(kind & bits.FOLDER for _, kind, _, _ in both)
        for thing, _, place, path in inside if folders else ():
            batch.add(bits.DELETED | bits.FOLDER | bits.EXCHANGED, path, thing, *place, pid)
        for thing, kind, place, path in inside:
            what = bits.CREATED | bits.EXCHANGED | (kind & bits.FOLDER) | (0 if folders else bits.DELETED)
            batch.add(what, path, thing, *place, pid)
            if kind & bits.FOLDER:
                self._strays.come_in(thing, "exchanged")

    def _named(self, mask: int, path: bytes, thing: bytes, folder: bytes, name: bytes) -> tuple[bytes, bytes, bytes]:
        """Return path, folder and name under which a file without a name (O_TMPFILE) lives since it was linked."""
        if name[:1] == b"#" and name[1:].isdigit():
            if len(self._nameless) >= _NAMELESS:
                self._nameless.clear()
            linked = self._nameless.setdefault(thing, None)
            where = None if linked is None else self._table.path(*linked)
            return (path, folder, name) if linked is None or where is None else (where, *linked)
        if mask & kernel.CREATE and thing in self._nameless:
            self._nameless[thing] = (folder, name)
        return path, folder, name

    def _begin_anew(self, news: News) -> None:
        """Enter everything again: what the queue lost may have been renames of folders."""
        self._overflows += 1
        self._table.clear()
        self._folders.outside.clear()
        self._settler.links.clear()
        self._strays.clear()
        while self._group.read(_READ_BYTES):
            pass
        with suppress(OSError):  # a root's own folder is gone: there is nothing to enter
            self._folders.enter_roots()
        self._pass_over()
        news.gaps.append(Gap(tuple(self.roots), self._last_ns, self._clock.now_ns(), "overflow"))

    # --- paths ----------------------------------------------------------------------------------

    def _wanted(self, folder: bytes, name: bytes) -> bytes | None:
        """Return the path of a name in a folder if it is in scope."""
        path = self._path(folder, name) if folder else None
        return None if path is None or self._folders.left_out(path) else path

    def _path(self, folder: bytes, name: bytes) -> bytes | None:
        """Return the path of a name in a folder, None outside the roots; an unknown folder is asked for once."""
        found = self._table.path(folder, name)
        if found is None and self._folders.is_strange(folder):
            came = self._folders.learn(folder)
            if came is not None:
                self._strays.come_in(came, "unwatched")
        return found

    def know_links(self, paths: Sequence[bytes]) -> None:
        """Remember files with several names, as a walk found them."""
        for path in paths:
            try:
                inode = os.lstat(path).st_ino
                upper = self._folders.known_above(path)
            except OSError:
                continue
            if upper is not None:
                self._settler.links.setdefault(inode, {})[upper, os.path.basename(path)] = None

    # --- events that wait -----------------------------------------------------------------------

    def _horizon(self) -> int:
        """Return how many events will have been seen after all that wait now."""
        return self._ahead + self._group.waiting()

    def _waits(self, until: int) -> bool:
        """Tell whether some of the first so many events wait."""
        return self._seen < until and self._group.waiting() > 0

    def _pass_over(self) -> None:
        """Let what waits change the table and tell nothing: it is older than what was entered."""
        until = self._seen + self._group.waiting()
        while self._seen < until and (data := self._group.read(_READ_BYTES)):
            self._take(data, News())
