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
    from collections.abc import Sequence

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
        last = len(self.names) - 1
        return last in places and self.names[last] != ANY_DEPTH and matches(name, self.names[last])

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


def _leaves_out(path: str, wanted: str) -> bool:
    if "/" not in wanted:
        return _compiled(wanted).fullmatch(os.path.basename(path)) is not None
    names = tuple(name for name in wanted.split("/") if name)
    pattern = Pattern("/", names if wanted.startswith("/") else (ANY_DEPTH, *names))
    places = pattern.start
    for name in path.split("/")[1:]:
        places = pattern.step(places, name)
        if len(pattern.names) in places:
            return True  # the path itself, or a folder above it
    return False


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern))
