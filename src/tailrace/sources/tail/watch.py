"""Tell which paths deserve a look: by inotify where it works, by listing folders again where not.

Every hint may be wrong, late or missing: the caller looks at the paths, and a full walk every `RESCAN_S`
finds what no hint told. A folder that cannot be watched (no watches left, a network file system, another
operating system) is listed again and again, quickly while something happens there, slowly else.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import filestat, inotify
from tailrace.sources.tail.inotify import Event, Inotify

if TYPE_CHECKING:
    from tailrace.clock import Clock

POLL_S: Final = (0.1, 2.0)
"""Shortest and longest pause between two listings of a folder without events."""


class Watch:
    """The watched folders of one source."""

    def __init__(self, clock: Clock, *, events: bool = True) -> None:
        self._clock = clock
        self._inotify: Inotify | None = None
        self._folders: dict[int, list[str]] = {}  # watch to the paths of its folder
        self._watches: dict[str, int] = {}
        self._polled: set[str] = set()
        self._poll_s = POLL_S[0]
        self._polled_s = 0.0
        self._walked_s = float("-inf")
        self._idle = threading.Event()
        self.why_polling = ""
        if events:
            try:
                self._inotify = Inotify()
            except OSError as error:
                self.why_polling = error.strerror or str(error)

    def add(self, folder: str) -> None:
        """Watch a folder, one way or the other."""
        if folder in self._watches:
            return
        if self._inotify is None or not filestat.tells_events(folder):
            self._polled.add(folder)
            return
        try:
            watch = self._inotify.add(folder)
        except OSError as error:
            self.why_polling = error.strerror or str(error)
            self._polled.add(folder)
            return
        self._polled.discard(folder)
        self._watches[folder] = watch
        self._folders.setdefault(watch, []).append(folder)

    def add_nearest(self, folder: str) -> None:
        """Watch the nearest folder above that exists, so that the appearance of `folder` is seen."""
        while not os.path.isdir(folder) and folder != "/":
            folder = os.path.dirname(folder)
        self.add(folder)

    def walk_due(self) -> bool:
        """Tell whether it is time for a full walk."""
        return self._clock.monotonic_s() - self._walked_s >= limits.RESCAN_S

    def begin_walk(self) -> None:
        """Note that a full walk begins; it adds every folder again, those without events too."""
        self._walked_s = self._clock.monotonic_s()
        self._polled.clear()

    def walk_soon(self) -> None:
        """Ask for a full walk at the next look."""
        self._walked_s = float("-inf")

    def wait(self, timeout_s: float) -> None:
        """Wait until there may be news, at most so long."""
        if self._polled:
            timeout_s = min(timeout_s, self._poll_s)
        if self._inotify is not None:
            self._inotify.wait(timeout_s)
        else:
            self._clock.wait(self._idle, timeout_s)

    def pause(self, seconds: float) -> None:
        """Let time go by."""
        self._clock.wait(self._idle, seconds)

    def is_polled(self, folder: str) -> bool:
        """Tell whether a folder has no events."""
        return folder in self._polled

    def news(self) -> tuple[set[str], set[str]]:
        """Return paths to look at, and folders to list: new ones, and those without events that are due."""
        paths: set[str] = set()
        folders: set[str] = set()
        for event in self._inotify.read() if self._inotify is not None else ():
            self._take(event, paths, folders)
        now_s = self._clock.monotonic_s()
        if self._polled and now_s - self._polled_s >= self._poll_s:
            self._polled_s = now_s
            folders |= self._polled
        return paths, folders

    def polled(self, *, news: bool) -> None:
        """Take whether the listing of a folder without events found anything: it sets the next pause."""
        self._poll_s = POLL_S[0] if news else min(POLL_S[1], self._poll_s * 1.5)

    def close(self) -> None:
        """Give all watches back."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _take(self, event: Event, paths: set[str], folders: set[str]) -> None:
        if event.mask & inotify.OVERFLOW:
            self.walk_soon()  # events were lost: every assumption is dropped
            return
        here = self._folders.get(event.watch, [])
        if here and event.mask & (inotify.IGNORED | inotify.DELETE_SELF | inotify.MOVE_SELF | inotify.UNMOUNT):
            self._forget(event.watch)
            self.walk_soon()
            return
        for folder in here:
            path = os.path.join(folder, event.name)
            if not event.mask & inotify.IS_FOLDER:
                paths.add(path)
            elif event.mask & (inotify.CREATE | inotify.MOVED_TO):
                folders.add(path)
            elif event.mask & inotify.MOVED_FROM:
                self._forget_below(path)
                self.walk_soon()

    def _forget(self, watch: int) -> None:
        for folder in self._folders.pop(watch, []):
            self._watches.pop(folder, None)
        if self._inotify is not None:
            self._inotify.remove(watch)

    def _forget_below(self, path: str) -> None:
        """Forget a folder that moved away with its watches: everything below has another path now."""
        for folder, watch in list(self._watches.items()):
            if folder == path or folder.startswith(path + "/"):
                self._forget(watch)
