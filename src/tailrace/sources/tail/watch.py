"""Tell which paths deserve a look: by inotify where it works, by listing folders again where not.

Every hint may be wrong, late or missing: the caller looks at the paths, and a full walk every `RESCAN_S`
finds what no hint told. A folder that cannot be watched (no watches left, a network file system, another
operating system) is listed again and again, quickly while something happens there, slowly else.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import filestat, inotify
from tailrace.sources.tail.inotify import Event, Inotify

if TYPE_CHECKING:
    from tailrace.clock import Clock

POLL_S: Final = (0.1, 2.0)
"""Shortest and longest pause between two listings of a folder without events."""

_TOGETHER_S: Final = 0.01  # listings that are due so close to each other are done at once

POLLS_PER_S: Final = 500
"""Listings of folders without events in a second, at most: with more folders the longest pause grows."""


@dataclass(slots=True)
class _Poll:
    """When a folder without events is listed next, and the pause after that."""

    due_s: float
    pause_s: float = POLL_S[0]


class Watch:
    """The watched folders of one source."""

    def __init__(self, clock: Clock, *, events: bool = True) -> None:
        self._clock = clock
        self._events = events
        self._inotify: Inotify | None = None
        self._folders: dict[int, list[str]] = {}  # watch to the paths of its folder
        self._watches: dict[str, int] = {}
        self._polls: dict[str, _Poll] = {}
        self._last_polls: dict[str, _Poll] = {}  # of the folders that were there before the walk that goes on
        self._doubted: set[str] = set()  # something changed there without an event, as far as was heard
        self._mute: set[str] = set()  # something changed there without an event
        self._heard: set[str] = set()  # there were events, since the last walk
        self._heard_before: set[str] = set()  # or just before it
        self._new: set[str] = set()  # watched since the last walk
        self._walked_s = float("-inf")
        self._idle = threading.Event()
        self.why_polling = ""
        self._begin()

    def _begin(self) -> None:
        """Ask for events; when there are no more queues, ask again at the next walk."""
        if self._events and self._inotify is None:
            try:
                self._inotify = Inotify()
                self.why_polling = ""
            except OSError as error:
                self.why_polling = error.strerror or str(error)

    def add(self, folder: str) -> None:
        """Watch a folder, one way or the other."""
        if folder in self._watches:
            return
        if self._inotify is None or folder in self._mute or not filestat.tells_events(folder):
            self._poll(folder)
            return
        try:
            watch = self._inotify.add(folder)
        except OSError as error:
            self.why_polling = error.strerror or str(error)
            self._poll(folder)
            return
        self._polls.pop(folder, None)
        self._watches[folder] = watch
        self._new.add(folder)
        self._folders.setdefault(watch, []).append(folder)

    def _poll(self, folder: str) -> None:
        if folder not in self._polls:
            self._polls[folder] = self._last_polls.get(folder) or _Poll(self._clock.monotonic_s() + POLL_S[0])

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
        self._begin()
        self._last_polls, self._polls = self._polls, {}
        for folder in self._doubted - self._heard:  # no event was on its way
            self._mute.add(folder)
            if folder in self._watches:
                self._forget(self._watches[folder])
        self._doubted.clear()
        self._heard_before, self._heard = self._heard, set()
        self._new.clear()

    def doubt(self, folder: str) -> None:
        """Take the news that something changed in a folder without an event: if none comes it is polled instead."""
        known = folder in self._watches and folder not in self._new
        if known and folder not in self._heard and folder not in self._heard_before:
            self._doubted.add(folder)

    def walk_soon(self) -> None:
        """Ask for a full walk at the next look."""
        self._walked_s = float("-inf")

    def wait(self, timeout_s: float) -> None:
        """Wait until there may be news, at most so long."""
        if self._polls:
            due_s = min(poll.due_s for poll in self._polls.values())
            timeout_s = max(0.0, min(timeout_s, due_s - self._clock.monotonic_s()))
        if self._inotify is not None:
            self._inotify.wait(timeout_s)
        else:
            self._clock.wait(self._idle, timeout_s)

    def pause(self, seconds: float) -> None:
        """Let time go by."""
        self._clock.wait(self._idle, seconds)

    def is_polled(self, folder: str) -> bool:
        """Tell whether a folder has no events."""
        return folder in self._polls

    def polled_folders(self) -> int:
        """Return the number of folders without events."""
        return len(self._polls)

    def news(self) -> tuple[set[str], set[str]]:
        """Return paths to look at, and folders to list: new ones, and those without events that are due."""
        paths: set[str] = set()
        folders: set[str] = set()
        for event in self._inotify.read() if self._inotify is not None else ():
            self._take(event, paths, folders)
        soon_s = self._clock.monotonic_s() + _TOGETHER_S
        folders.update(folder for folder, poll in self._polls.items() if poll.due_s <= soon_s)
        return paths, folders

    def polled(self, folder: str, *, news: bool) -> None:
        """Take whether the listing of a folder without events found anything: it sets the next pause."""
        poll = self._polls.get(folder)
        if poll is not None:
            longest = max(POLL_S[1], len(self._polls) / POLLS_PER_S)
            poll.pause_s = POLL_S[0] if news else min(longest, poll.pause_s * 1.5)
            poll.due_s = self._clock.monotonic_s() + poll.pause_s

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
        self._heard.update(here)
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
