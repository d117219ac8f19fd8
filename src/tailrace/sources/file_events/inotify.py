"""Changes by inotify: a watch on every folder below the roots. Needs no privileges; names no process.

A folder is watched first and listed then, so that nothing made between `mkdir` and the watch is missed: what the list
has is told as found (`SYNTHETIC`), and once only. The halves of a rename are joined by their cookie (`INFERRED`); one
that stays alone for half a second came from outside, or went there. When the kernel lost events all watches are set
anew and a `Gap` asks for a walk. Where there are no watches left (`fs.inotify.max_user_watches`) folders are named in
`unwatched`, for others to poll.

An object is looked at through its folder's descriptor, which is proven by inode to be the folder that the watch is on:
a path may lead elsewhere when a rename was not read yet. What cannot be proven is looked at again when the queue is
empty. A folder whose names changed has another size and other times, of which no event tells: it is looked at, too.
"""

from __future__ import annotations

import errno
import os
import stat as modes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.sources.file_events import backend as bits
from tailrace.sources.file_events.backend import Gap, News
from tailrace.sources.file_events.inotify_looks import Batch
from tailrace.sources.file_events.inotify_watches import Watches
from tailrace.sources.tail.filestat import tells_events
from tailrace.syscalls import inotify as kernel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tailrace.clock import Clock
    from tailrace.ecs import Provider
    from tailrace.sources.file_events.scope import Scope

HALF_S: Final = 0.5
"""How long the first half of a rename waits for the second."""

_AGAIN: Final = 3  # times that a place is looked for when nothing is waiting any more
_AGAIN_S: Final = 0.05
_HOMELESS_S: Final = 1.0  # between two looks for the folder above a root that is not there
_TOUCHED_S: Final = 1.0  # after which folders whose names change are looked at though more is waiting
_BITS: Final = (
    (kernel.CREATE, bits.CREATED),
    (kernel.DELETE, bits.DELETED),
    (kernel.MODIFY | kernel.CLOSE_WRITE, bits.UPDATED),
    (kernel.ATTRIB, bits.ATTRIBUTES),
)
_NAMES: Final = kernel.CREATE | kernel.DELETE | kernel.MOVED_FROM | kernel.MOVED_TO

_Place = tuple[int, bytes]
"""A watch and a name in its folder."""


@dataclass(slots=True)
class _Half:
    """The first half of a rename."""

    place: _Place
    path: bytes | None  # where it was; None below a folder that had no path itself
    watches: tuple[int, ...]  # of the folder; two when another one took its name before
    until_s: float
    folder: bool


class Inotify:
    """Watches the folders below some roots; implements `backend.Backend`."""

    provider: Provider = "inotify"

    def __init__(self, scope: Scope, roots: Sequence[bytes], clock: Clock) -> None:
        for root in roots:
            if not tells_events(os.fsdecode(root if os.path.isdir(root) else os.path.dirname(root))):
                raise OSError(errno.EOPNOTSUPP, "its file system does not tell what others change", os.fsdecode(root))
        self.roots: Sequence[bytes] = tuple(roots)
        self._scope = scope
        self._clock = clock
        self._halves: dict[int, _Half] = {}  # by cookie
        self._half_at: dict[_Place, int] = {}
        self._last_pair: tuple[_Place, _Place] | None = None
        self._displaced: dict[_Place, int] = {}  # watches of folders whose name another one took
        self._touched: dict[int, None] = {}  # watches of folders whose names changed
        self._touched_s = 0.0
        self._counts = {"overflows": 0, "vanished": 0, "lost_track": 0}
        self._last_ns = clock.now_ns()
        self._looked_s = clock.monotonic_s()
        self._watches = Watches(scope, roots)
        self._queue, self._folders, self._looks = self._watches.queue, self._watches.folders, self._watches.looks
        try:
            self._watches.begin()
        except OSError:
            self.close()
            raise

    @property
    def handle(self) -> int | None:
        """Return a descriptor that is readable when there is news."""
        return self._queue.handle

    def due_s(self, now_s: float) -> float | None:
        """Return when a half of a rename has waited long enough, or a root is looked for again."""
        due = [half.until_s for half in self._halves.values()]
        due += [self._looked_s + _HOMELESS_S] if self._watches.homeless else []
        due += [now_s + _AGAIN_S] if self._watches.unsure else []
        return max(0.0, min(due) - now_s) if due else None

    def unwatched(self) -> Sequence[tuple[bytes, str]]:
        """Return folders for which there was no watch."""
        return list(self._watches.unwatched.items())

    @property
    def counters(self) -> Mapping[str, int]:
        """Return what waits, and what happened besides events."""
        waiting = self._queue.waiting() // kernel.EVENT_BYTES
        return {"queue": waiting, "watches": len(self._folders), "refused": self._watches.refused, **self._counts}

    def close(self) -> None:
        """Give all watches back."""
        self._watches.close()

    def read(self, events: int) -> News:
        """Return at most about so many events."""
        news, batch, taken, data = News(), Batch(), 0, b""
        while taken + batch.found < events and (data := self._queue.take()):
            for watch, mask, cookie, name in kernel.parse(data):
                if mask & (kernel.OVERFLOW | kernel.UNMOUNT):
                    self._lose(news)
                    break
                if name:
                    self._take(batch, news, (watch, name), mask, cookie)
                else:
                    self._take_own(batch, watch, mask)
            taken += len(data) // kernel.EVENT_BYTES
        now_s = self._clock.monotonic_s()
        self._expire(batch, now_s)
        if self._watches.homeless and now_s - self._looked_s >= _HOMELESS_S:
            self._looked_s = now_s
            self._watches.find_homes(news)
        self._looks.look(batch, news.changes, self._watches.unsure)
        self._looks.close()
        news.more = self._queue.waiting() > 0
        if not news.more:
            self._settle(news)
        if not news.more or now_s - self._touched_s > _TOUCHED_S:
            self._tell_touched(news)
            self._touched_s = now_s
        self._looks.close()
        self._counts["vanished"] = self._looks.vanished
        if taken:
            self._last_ns = self._clock.now_ns()
        return news

    # --- events ---------------------------------------------------------------------------------

    def _take(self, batch: Batch, news: News, place: _Place, mask: int, cookie: int) -> None:
        path = self._folders.path(*place)
        folder = bool(mask & kernel.ON_FOLDER)
        if mask & (_NAMES & ~kernel.CREATE):
            self._looks.doubt(place)
        if path is None:
            self._take_in_limbo(place, mask, cookie, folder=folder)
            return
        if (folder or self._scope.patterns) and self._watches.leaves_out(path):
            return
        if mask & _NAMES:
            self._touched[place[0]] = None
            if self._half_at and not (mask & kernel.MOVED_TO and cookie in self._halves):
                self._alone(batch, place)
        if mask & kernel.MOVED_FROM:
            self._moved_from(place, path, cookie, folder=folder)
        elif mask & kernel.MOVED_TO:
            self._moved_to(batch, news, place, path, cookie, folder=folder)
        elif folder and mask & (kernel.CREATE | kernel.DELETE):
            self._take_folder(batch, news, place, path, created=bool(mask & kernel.CREATE))
        else:
            what = sum(bit for of, bit in _BITS if mask & of)
            batch.merge(what | (bits.FOLDER if folder else 0), path, place)

    def _take_in_limbo(self, place: _Place, mask: int, cookie: int, *, folder: bool) -> None:
        """Take an event below a folder that was renamed, nobody knows yet where to: it is looked at when that is known.

        What was renamed to there is as good as gone until then.
        """
        if place[0] not in self._folders:
            return
        if mask & kernel.MOVED_FROM and folder:
            self._moved_from(place, None, cookie, folder=True)
            return
        if mask & kernel.MOVED_TO and (half := self._halves.get(cookie)) is not None:
            half.until_s = 0.0
        if folder and mask & kernel.DELETE:
            self._folders.forget(self._folders.watch(*place))
        self._watches.unsure.setdefault(place, 0)

    def _take_folder(self, batch: Batch, news: News, place: _Place, path: bytes, *, created: bool) -> None:
        """Take the making or the removal of a folder."""
        batch.part(place)
        if not created:
            batch.add(bits.DELETED | bits.FOLDER, path, place)
            self._folders.forget(self._folders.watch(*place))
            self._watches.unwatched.pop(path, None)
            return
        watch, look = self._folders.watch(*place), self._looks.at(place)
        if watch and look is not None and look.st_ino == self._folders.inode(watch):
            return  # it was found, and told, before this event was read
        batch.add(bits.CREATED | bits.FOLDER, path, place)
        self._watches.arrive(place, batch, news)

    def _take_own(self, batch: Batch, watch: int, mask: int) -> None:
        """Take an event of a watched folder about itself; the one above tells most of it."""
        if watch not in self._folders:
            if watch in self._folders.gates and mask & kernel.IGNORED:
                self._watches.homeless.update(self._folders.gates.pop(watch).values())
        elif mask & kernel.IGNORED:
            self._folders.forget(watch)
        elif mask & (kernel.DELETE_SELF | kernel.MOVE_SELF):
            above, path = self._folders.place(watch)
            if not above and not self._folders.gated(path):
                batch.add(bits.DELETED | bits.FOLDER, path, (0, path))  # a root whose folder cannot be watched
                self._watches.drop(watch)
                self._watches.homeless.add(path)
        else:
            self._touched[watch] = None

    # --- renames --------------------------------------------------------------------------------

    def _moved_from(self, place: _Place, path: bytes | None, cookie: int, *, folder: bool) -> None:
        """Take a first half; a folder has no path from now on."""
        watches: tuple[int, ...] = ()
        if folder:
            displaced, named = self._displaced.pop(place, 0), self._folders.watch(*place)
            watches = tuple(watch for watch in (displaced, named) if watch in self._folders)
            if watches == (named,):
                self._folders.unname(named)
        until_s = self._clock.monotonic_s() + HALF_S
        self._halves[cookie] = _Half(place, path, watches, until_s, folder=folder)
        self._half_at[place] = cookie

    def _moved_to(self, batch: Batch, news: News, new: _Place, path: bytes, cookie: int, *, folder: bool) -> None:
        half = self._halves.pop(cookie, None)
        batch.part(new)
        kind = bits.FOLDER if folder else 0
        if half is None:
            batch.add(bits.CREATED | bits.MOVED_IN | kind, path, new)
            if folder:
                self._watches.arrive(new, batch, news, bits.MOVED_IN)
            return
        old = half.place
        del self._half_at[old]
        batch.part(old)
        exchange, self._last_pair = self._last_pair == (new, old), (old, new)
        moving = self._moving(half.watches, path)
        if half.path is None or (folder and not moving):
            self._came(batch, news, half, new, path)
            return
        if moving:
            before = self._folders.watch(*new)
            if before and before != moving:
                self._displaced[new] = before
            self._folders.put(moving, *new, self._folders.inode(moving))
        if exchange:
            self._exchanged(batch, news, (old, half.path), (new, path))
        else:
            batch.add(bits.MOVED | bits.INFERRED | kind, path, new, old_path=half.path)

    def _came(self, batch: Batch, news: News, half: _Half, new: _Place, path: bytes) -> None:
        """Take a rename of what nobody knew where it was: as a removal and an arrival."""
        kind = bits.FOLDER if half.folder else 0
        for watch in half.watches:
            if self._folders.path(watch) is None:
                self._watches.drop(watch)
        if half.path is not None:
            batch.add(bits.DELETED | kind, half.path, half.place)
        batch.add(bits.CREATED | bits.MOVED_IN | kind, path, new)
        if half.folder:
            self._watches.arrive(new, batch, news, bits.MOVED_IN)

    def _moving(self, watches: Sequence[int], path: bytes) -> int:
        """Return the watch of the folder that came to a path, of those that it may have; 0 if it is none of them."""
        known = [watch for watch in watches if watch in self._folders]
        if not known:
            return 0
        try:
            inode = os.lstat(path).st_ino
        except OSError:  # it went on already: another event says where to
            return known[-1]
        return next((watch for watch in known if self._folders.inode(watch) == inode), 0)

    def _exchanged(self, batch: Batch, news: News, *both: tuple[_Place, bytes]) -> None:
        """Take the second pair of an exchange: each is told anew where it is now, a folder with what is below it."""
        for (watch, name), path in both:
            if self._folders.watch(watch, name):
                batch.add(bits.DELETED | bits.FOLDER | bits.EXCHANGED, path, (watch, name))
                batch.add(bits.CREATED | bits.FOLDER | bits.EXCHANGED, path, (watch, name))
                news.walk.append((path, "exchanged"))
            else:
                batch.add(bits.DELETED | bits.CREATED | bits.EXCHANGED, path, (watch, name))

    def _expire(self, batch: Batch, now_s: float) -> None:
        """Let go of halves that waited long enough."""
        for place in [half.place for half in self._halves.values() if half.until_s <= now_s]:
            self._alone(batch, place)

    def _alone(self, batch: Batch, place: _Place) -> None:
        """Take a first half without a second: what was there went out of the scope."""
        cookie = self._half_at.pop(place, None)
        if cookie is None:
            return
        half = self._halves.pop(cookie)
        batch.part(place)
        path = self._folders.path(*place)
        if path is not None:
            batch.add(bits.DELETED | bits.MOVED_OUT | (bits.FOLDER if half.folder else 0), path, place)
        look = self._looks.at(place)
        for watch in half.watches[-1:]:
            if self._folders.path(watch) is None:  # else it came to light elsewhere
                self._watches.drop(watch)
        if look is not None:  # something else has the name by now
            self._watches.unsure[place] = 0

    # --- what was not told ----------------------------------------------------------------------

    def _settle(self, news: News) -> None:
        """Look again at what could not be looked at, now that every rename is known."""
        batch = Batch()
        unsure, self._watches.unsure = self._watches.unsure, {}
        for place, tries in unsure.items():
            path = self._folders.path(*place)
            if path is None:
                if place[0] in self._folders:
                    self._watches.unsure[place] = tries
                continue
            look = self._looks.at(place)
            if look is None and not self._looks.is_open(place[0]):
                if tries < _AGAIN:
                    self._watches.unsure[place] = tries + 1
                else:
                    self._heal(place[0], batch)
            elif look is None:
                batch.add(bits.DELETED | bits.SYNTHETIC, path, place)
            else:
                folder = bits.FOLDER if modes.S_ISDIR(look.st_mode) else 0
                batch.add_found(bits.UPDATED | bits.SYNTHETIC | folder, path, place, look)
                if folder and not self._folders.watch(*place):
                    self._watches.arrive(place, batch, news)
        self._looks.look(batch, news.changes, self._watches.unsure)
        self._looks.forget()
        for watch in self._displaced.values():
            if watch in self._folders and self._folders.path(watch) is None:
                self._watches.drop(watch)
        self._displaced.clear()
        self._last_pair = None

    def _heal(self, watch: int, batch: Batch) -> None:
        """Begin anew at a folder that is not where it should be, though no event is waiting that says so."""
        self._counts["lost_track"] += 1
        if watch not in self._folders:
            return
        place, path = self._folders.place(watch), self._folders.path(watch)
        self._watches.drop(watch)
        if path is not None:
            batch.add(bits.DELETED | bits.FOLDER | bits.SYNTHETIC, path, place)
            self._watches.unsure[place] = 0

    def _tell_touched(self, news: News) -> None:
        """Tell the size and the times of folders whose names changed."""
        touched, self._touched = self._touched, {}
        for watch in touched:
            path = self._folders.path(watch)
            look = self._looks.of(watch)
            if path is not None and look is not None and watch in self._folders:
                news.changes.add(bits.ATTRIBUTES | bits.FOLDER | bits.SYNTHETIC, path, look, inode=look.st_ino)

    def _lose(self, news: News) -> None:
        """Begin anew after events were lost: the watches may be too few, and at other places than known."""
        self._counts["overflows"] += 1
        while self._queue.take():
            pass
        for known in (self._halves, self._half_at, self._displaced, self._touched):
            known.clear()
        self._watches.begin_anew()
        news.gaps.append(Gap(tuple(self.roots), self._last_ns, self._clock.now_ns(), "overflow"))
