"""Patterns of paths, matched name by name, so that a walk enters only folders that can hold matches.

A pattern is a folder to begin in and a list of names: `*`, `?` and `[…]` match within one name, `**`
any number of folders. Where a walk stands in a pattern is a set of positions in that list.
"""

from __future__ import annotations

import fnmatch
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Places = frozenset[int]
"""Positions in a pattern's names that may match next."""

ANY_DEPTH: Final = "**"
_MAGIC: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Where to begin, and the names below it; `start` is where a walk stands in the beginning."""

    base: str
    names: tuple[str, ...]

    @property
    def start(self) -> Places:
        """Where a walk stands in `base`."""
        return self._closed({0})

    @property
    def fixed(self) -> bool:
        """Whether one path is written out, without a wildcard."""
        return len(self.names) == 1 and not _MAGIC.search(self.names[0])

    def step(self, places: Places, name: str) -> Places:
        """Return where a walk stands after entering `name`; empty if nothing below can match."""
        found: set[int] = set()
        for place in places:
            if place >= len(self.names):
                continue
            wanted = self.names[place]
            if wanted == ANY_DEPTH:
                if not name.startswith("."):
                    found.add(place)
            elif matches(name, wanted):
                found.add(place + 1)
        return self._closed(found)

    def takes(self, places: Places, name: str) -> bool:
        """Tell whether a file of that name, where the walk stands, matches the whole pattern."""
        last = self.last(places)
        return last is not None and matches(name, last)

    def last(self, places: Places) -> str | None:
        """Return what the name of a file must match where the walk stands, None if files there cannot match."""
        last = len(self.names) - 1
        return self.names[last] if last in places and self.names[last] != ANY_DEPTH else None

    def enters(self, places: Places) -> bool:
        """Tell whether something below a folder where the walk stands so can match."""
        return any(place < len(self.names) for place in places)

    def _closed(self, places: set[int]) -> Places:
        """Add what `**` may match as no folder at all."""
        for place in sorted(places):
            while place < len(self.names) and self.names[place] == ANY_DEPTH:
                place += 1  # noqa: PLW2901
                places.add(place)
        return frozenset(places)


def pattern_of(text: str, *, is_folder: bool) -> Pattern:
    """Return the pattern of a configured path; a folder stands for everything below it."""
    path = os.path.abspath(os.path.expanduser(text))
    if is_folder:
        return Pattern(path, (ANY_DEPTH, "*"))
    names = path.split("/")[1:]
    fixed = next((i for i, name in enumerate(names) if _MAGIC.search(name)), len(names) - 1)
    below = names[fixed:]
    if below[-1] == ANY_DEPTH:
        below.append("*")
    return Pattern("/" + "/".join(names[:fixed]), tuple(below))


def matches(name: str, wanted: str) -> bool:
    """Tell whether one name matches one name of a pattern; wildcards do not match a leading dot."""
    if name == wanted:
        return True
    if name.startswith(".") and not wanted.startswith("."):
        return False
    return wanted == "*" or _compiled(wanted).fullmatch(name) is not None


def excluded(path: str, patterns: Sequence[str]) -> bool:
    """Tell whether a path is left out by any pattern; one without a slash is compared with the name."""
    return any(_leaves_out(path, pattern) for pattern in patterns)


class Scope:
    """What settings ask for, told from names alone: a file may be away, and a folder may be not there yet.

    A configured path without a wildcard stands for a file and for a folder. Folders are remembered: a hundred thousand
    files lie in few.
    """

    def __init__(self, paths: Sequence[str], exclude: Sequence[str]) -> None:
        self._exclude = exclude
        self._patterns = [(text, pattern) for text in paths for pattern in _both(text)]
        self._folders: dict[str, list[tuple[str, Pattern, Places]]] = {}
        self._bare = re.compile("|".join(fnmatch.translate(text) for text in exclude if "/" not in text) or r"(?!)")
        self._deep: dict[str, list[str]] = {}  # patterns with a slash that may leave out something in a folder
        self._left_out: dict[tuple[str, str], str | None] = {}  # folder and base to the pattern that leaves it out

    def wants(self, path: str) -> bool:
        """Tell whether a file is to be read."""
        found = self._wanting(path)
        return found is not None and self._excluding(path, found[1].base) is None

    def wanting(self, path: str) -> str | None:
        """Return the configured path that a file matches, excluded or not, or None."""
        found = self._wanting(path)
        return None if found is None else found[0]

    def excluding(self, path: str) -> str | None:
        """Return the pattern that leaves out a file, or a folder between it and where its pattern begins, or None."""
        found = self._wanting(path)
        return None if found is None else self._excluding(path, found[1].base)

    def _wanting(self, path: str) -> tuple[str, Pattern] | None:
        folder, name = os.path.split(path)
        if folder not in self._folders:
            self._folders[folder] = list(self._inside(folder))
        for text, pattern, places in self._folders[folder]:
            if pattern.takes(places, name):
                return text, pattern
        return None

    def _inside(self, folder: str) -> Iterator[tuple[str, Pattern, Places]]:
        for text, pattern in self._patterns:
            base = pattern.base.rstrip("/")
            if folder.rstrip("/") == base or folder.startswith(base + "/"):
                places = pattern.start
                for name in folder[len(base) + 1 :].split("/") if len(folder) > len(base) + 1 else ():
                    places = pattern.step(places, name)
                yield text, pattern, places

    def _excluding(self, path: str, base: str) -> str | None:
        folder, name = os.path.split(path)
        if self._bare.fullmatch(name):
            return next(pattern for pattern in self._exclude if _leaves_out(path, pattern))
        if (folder, base) not in self._left_out:
            below = len(folder) > len(base)
            self._left_out[folder, base] = self._excluding(folder, base) if below else None
            self._deep[folder] = [text for text in self._exclude if "/" in text and _may_leave_out(folder, text)]
        deep = next((text for text in self._deep[folder] if _leaves_out(path, text)), None)
        return deep or self._left_out[folder, base]


def _both(text: str) -> list[Pattern]:
    """Return the patterns of a configured path, as a file and as a folder if it may be one."""
    may_be_folder = not _MAGIC.search(text) or os.path.isdir(os.path.expanduser(text))
    return [pattern_of(text, is_folder=is_folder) for is_folder in (False, True)[: 1 + may_be_folder]]


def _leaves_out(path: str, wanted: str) -> bool:
    if "/" not in wanted:
        return _compiled(wanted).fullmatch(os.path.basename(path)) is not None
    return any(len(pattern.names) in places for pattern, places in _steps(path, wanted))


def _may_leave_out(folder: str, wanted: str) -> bool:
    """Tell whether a pattern with a slash can leave out anything in a folder."""
    *_, (pattern, places) = _steps(folder, wanted)
    return bool(places) or len(pattern.names) in places


def _steps(path: str, wanted: str) -> Iterator[tuple[Pattern, Places]]:
    """Yield where a pattern with a slash stands at each name of a path; it leaves out a folder with all below."""
    pattern = _excluding_pattern(wanted)
    places = pattern.start
    for name in path.split("/")[1:]:
        places = pattern.step(places, name)
        yield pattern, places


@lru_cache(maxsize=4096)
def _excluding_pattern(wanted: str) -> Pattern:
    names = tuple(name for name in wanted.split("/") if name)
    return Pattern("/", names if wanted.startswith("/") else (ANY_DEPTH, *names))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))
