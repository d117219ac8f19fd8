"""Walk the configured paths: which files match, and which folders must be watched for new ones.

Comes in: settings. Goes out: matching paths, plain files before links, with the `stat` of plain files.
Nothing is opened. Folders that cannot be listed are reported in `troubles` and tried again at the next walk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tailrace.sources.tail.globs import Pattern, excluded, matches, pattern_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tailrace.sources.tail.globs import Places


class Enter(Protocol):
    """Told of every folder before it is listed, so that nothing is born unseen between watch and list."""

    def __call__(self, folder: str) -> None:
        """Watch a folder."""
        ...


@dataclass(frozen=True, slots=True)
class Match:
    """A path that matches; `found` is its own stat, None for a link and for what could not be looked at."""

    path: str
    found: os.stat_result | None


@dataclass(frozen=True, slots=True)
class _Step:
    """A folder to list, and where the walk stands in each pattern there."""

    folder: str
    places: dict[int, Places]


class Discovery:
    """The configured paths of one source."""

    def __init__(self, paths: Sequence[str], exclude: Sequence[str]) -> None:
        self.troubles: dict[str, str] = {}
        self._paths = paths
        self._exclude = exclude
        self._patterns: list[Pattern] = []
        self._places: dict[str, dict[int, Places]] = {}  # folders that were entered

    def walk(self, enter: Enter) -> Iterator[Match]:
        """Yield every match below all configured paths."""
        self._patterns = [pattern_of(path, is_folder=os.path.isdir(os.path.expanduser(path))) for path in self._paths]
        self._places.clear()
        self.troubles.clear()
        begins: dict[str, dict[int, Places]] = {}
        for number, pattern in enumerate(self._patterns):
            begins.setdefault(pattern.base, {})[number] = pattern.start
        links: list[Match] = []
        for base, places in begins.items():
            yield from self._walk(_Step(base, places), enter, links)
        yield from links
        for path, pattern in zip(self._paths, self._patterns, strict=True):
            if pattern.fixed and not os.path.lexists(os.path.join(pattern.base, *pattern.names)):
                self.troubles[path] = "there is no such file yet"

    def walk_below(self, folder: str, enter: Enter) -> Iterator[Match]:
        """Yield every match below a folder that just appeared in one that was entered."""
        above, name = os.path.split(folder)
        places = self._inside(self._places.get(above, {}), folder, name)
        links: list[Match] = []
        if places:
            yield from self._walk(_Step(folder, places), enter, links)
        yield from links

    def walk_again(self, folder: str, enter: Enter) -> Iterator[Match]:
        """Yield every match directly in a folder that was entered, and below folders that are new in it."""
        links: list[Match] = []
        new: list[_Step] = []
        places = self._places.get(folder, {})
        try:
            yield from self._list(_Step(folder, places), new, new, links)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.troubles[folder] = error.strerror or str(error)
        for step in new:
            if step.folder not in self._places:
                yield from self._walk(step, enter, links)
        yield from links

    def takes(self, path: str) -> bool:
        """Tell whether a path in a folder that was entered matches."""
        folder, name = os.path.split(path)
        return self._takes(self._places.get(folder, {}), path, name)

    def leads_to_base(self, folder: str) -> bool:
        """Tell whether a pattern begins in or below a folder."""
        return any(base == folder or base.startswith(folder + "/") for base in self.bases())

    def bases(self) -> list[str]:
        """Return the folders in which the patterns begin, there or not."""
        return list(dict.fromkeys(pattern.base for pattern in self._patterns))

    # --- the walk -------------------------------------------------------------------------------

    def _walk(self, step: _Step, enter: Enter, links: list[Match]) -> Iterator[Match]:
        waiting, later = [step], list[_Step]()
        walked: set[tuple[int, int]] = set()  # a link to a folder may lead back to one above it
        while waiting or later:
            step = waiting.pop() if waiting else later.pop()
            try:
                here = os.stat(step.folder)
                if (here.st_dev, here.st_ino) in walked:
                    continue
                walked.add((here.st_dev, here.st_ino))
                enter(step.folder)
                known = self._places.setdefault(step.folder, {})
                for number, places in step.places.items():
                    known[number] = known.get(number, frozenset()) | places
                yield from self._list(step, waiting, later, links)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.troubles[step.folder] = error.strerror or str(error)

    def _list(self, step: _Step, waiting: list[_Step], later: list[_Step], links: list[Match]) -> Iterator[Match]:
        names = self._written_out(step.places)
        if names is not None:
            for name in names:
                path = os.path.join(step.folder, name)
                if self._takes(step.places, path, name) and os.path.lexists(path):
                    links.append(Match(path, None))
            return
        lasts = [last for n, places in step.places.items() if (last := self._patterns[n].last(places)) is not None]
        with os.scandir(step.folder) as entries:
            for entry in entries:
                is_link, is_folder = entry.is_symlink(), _is_folder(entry)
                if is_folder:
                    places = self._inside(step.places, entry.path, entry.name)
                    if places:
                        (later if is_link else waiting).append(_Step(entry.path, places))
                elif any(matches(entry.name, last) for last in lasts) and not excluded(entry.path, self._exclude):
                    found = None if is_link else _stat(entry)
                    if found is None:
                        links.append(Match(entry.path, None))
                    else:
                        yield Match(entry.path, found)

    def _written_out(self, places: dict[int, Places]) -> list[str] | None:
        """Return the names that can match here, if all are written out and no listing is needed."""
        names: list[str] = []
        for number in places:
            if not self._patterns[number].fixed:
                return None
            names += self._patterns[number].names
        return names

    def _inside(self, above: dict[int, Places], folder: str, name: str) -> dict[int, Places]:
        found = {n: self._patterns[n].step(places, name) for n, places in above.items()}
        found = {n: places for n, places in found.items() if places and self._patterns[n].enters(places)}
        return {} if found and excluded(folder, self._exclude) else found

    def _takes(self, above: dict[int, Places], path: str, name: str) -> bool:
        taken = any(self._patterns[n].takes(places, name) for n, places in above.items())
        return taken and not excluded(path, self._exclude)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the stat of a plain file; None if it must be looked at once more: it may be gone since it was listed."""
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return None
