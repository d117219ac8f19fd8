"""What happened to the files: turns looks at paths into files that appear, move, are replaced or vanish.

Comes in: paths that deserve a look, in any order, with any of them missing. Goes out: changes of the `Roster`.
Looks come first, then `resolve` decides about everything that was seen, since a rename is only
understood when both of its names were looked at. The decisions are those of `identity` and `rotation`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.sources.tail import content, filestat, sniff
from tailrace.sources.tail.identity import FileId, Verdict, judge
from tailrace.sources.tail.rotation import Sibling, copied_from, live_names, missed, related, suffixed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.clock import Clock
    from tailrace.sources.tail.filestat import FileStat
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.settings import TailSettings
    from tailrace.sources.tail.tracked import Tracked

_BIRTH_SLACK_NS: Final = 50_000_000  # the kernel takes births from a coarse clock: doubt means read
_LEAVING_NS: Final = 10_000_000_000  # a writer may go on that long in the file that was renamed away
_COPYING_NS: Final = 10_000_000_000  # a copy may take that long
_QUIET_NS: Final = 1_000_000_000  # a copy is complete when nothing came for that long


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A file that nobody follows yet; `matches` the configured paths or has only the name of a rotated one."""

    found: FileStat
    number: FileId
    matches: bool


@dataclass(frozen=True, slots=True)
class _Listing:
    """A folder's paths by inode number, and those with a rotated name by the name that it may come from."""

    numbers: dict[int, str]
    rotated: dict[str, list[str]]


class Moves:
    """Follows the files of one roster from path to path."""

    def __init__(self, roster: Roster, settings: TailSettings, clock: Clock, wanted: Callable[[str], bool]) -> None:
        self.refused: dict[str, str] = {}  # paths that are not followed, and why
        self.first_start_ns = 0
        self.lost_bytes = 0
        self._roster = roster
        self._settings = settings
        self._clock = clock
        self._wanted = wanted  # whether a path matches the configured ones
        self._fresh: dict[str, _Fresh] = {}
        self._missing: dict[Tracked, None] = {}
        self._listed: dict[str, _Listing] = {}  # folders, during one `resolve`

    def put_back(self, files: list[Tracked]) -> None:
        """Start from a checkpoint: every file that was there is to be found again."""
        self._roster.put_back(files)
        self._missing.update((file, None) for file in files if not file.gone_ns)

    # --- looks ----------------------------------------------------------------------------------

    def interesting(self, path: str) -> bool:
        """Tell whether a path that matches nothing deserves a look: a followed or a rotated file may be there."""
        return path in self._roster.by_path or any(
            name in self._roster.newest or self._wanted(name) for name in live_names(path)
        )

    def look(self, path: str, *, matches: bool) -> None:
        """Look at a path."""
        here = self._roster.by_path.get(path)
        try:
            found = filestat.look(path)
        except (FileNotFoundError, NotADirectoryError):
            self.refused.pop(path, None)
            self._fresh.pop(path, None)
            self._lose(here)
            return
        except OSError as error:  # not seen is not gone
            if here is not None:
                here.trouble = error.strerror or str(error)
            elif matches:
                self.refused[path] = error.strerror or str(error)
            return
        if found.regular:
            self._place(path, found, here, matches=matches)
        else:
            self._lose(here)
            if matches:
                self.refused[path] = f"a {found.kind()}, not a file"

    def lose(self, file: Tracked) -> None:
        """Take the news that the path of a file has none, or another one."""
        path = file.path
        self._lose(file)
        self.look(path, matches=path == file.name)

    def _place(self, path: str, found: FileStat, here: Tracked | None, *, matches: bool) -> None:
        number = filestat.file_id(path, found)
        known = self._roster.by_id.get(number)
        if known is not here:
            self._lose(here)
        if known is None:
            self._fresh[path] = _Fresh(found, number, matches)
        elif known is here:
            self._wake(known, found)
        elif known in self._missing or not _is_at(known.path, known.id):
            self._move(known, path)
            self._wake(known, found)
        # else it is another name of a file that is followed already: read once

    def _lose(self, file: Tracked | None) -> None:
        if file is not None:
            self._roster.lose_path(file)
            self._missing[file] = None
            if not file.away:
                file.away, file.grown_s = True, self._clock.monotonic_s()

    def _move(self, file: Tracked, path: str) -> None:
        self._missing.pop(file, None)
        self._roster.move(file, path, now_s=self._clock.monotonic_s())

    def _wake(self, file: Tracked, found: FileStat) -> None:
        if file.refused:
            file.size, file.ctime_ns = found.size, found.ctime_ns
            return
        if found.size > file.size:
            file.size, file.grown_s = found.size, self._clock.monotonic_s()
        if file.original is None:
            self._roster.ready[file] = None

    # --- after the looks ------------------------------------------------------------------------

    def resolve(self, *, walked: bool) -> bool:
        """Decide about files that were lost and files that appeared; False asks for a full walk first.

        `walked`: every path was looked at, so what is found nowhere now is gone.
        """
        self._listed.clear()
        for file in list(self._missing):
            path = self._found_elsewhere(file)
            if path is not None:
                self._move(file, path)
                self._roster.ready[file] = None
            elif file.handle >= 0:
                del self._missing[file]
                self._roster.nameless[file] = None
                self._roster.ready[file] = None
            elif walked:
                self._not_found(file)
        wanted = {file.name for file in self._missing}  # what replaces them is not understood yet
        for path, fresh in sorted(self._fresh.items(), key=self._turn_to_arrive):
            if path not in wanted and path in self._fresh:
                del self._fresh[path]
                self._arrive(path, fresh)
        return not self._missing

    def _turn_to_arrive(self, item: tuple[str, _Fresh]) -> tuple[bool, int]:
        """Return where a new file stands in line: what was rotated away before what took its name, older ones first."""
        path, fresh = item
        rotated = any(suffixed(name, path) and name in self._fresh for name in live_names(path))
        return not rotated, fresh.number.born_ns

    def _found_elsewhere(self, file: Tracked) -> str | None:
        places = [file.path, file.real]
        if file.handle >= 0:
            found = filestat.look(file.handle)
            if not found.links:
                file.unlinked_ns = found.ctime_ns
                return None
            places.append(filestat.path_of(file.handle) or "")
        places.append(self._listing(os.path.dirname(file.path)).numbers.get(file.id.ino, ""))
        return next((path for path in places if path and _is_at(path, file.id)), None)

    def _listing(self, folder: str) -> _Listing:
        if folder not in self._listed:
            self._listed[folder] = _list(folder)
        return self._listed[folder]

    def _not_found(self, file: Tracked) -> None:
        del self._missing[file]
        why = _why_unseen(file.path)
        if why:  # not seen is not gone
            file.trouble = why
            self._roster.by_path.setdefault(file.path, file)
            return
        self.lost_bytes += max(0, file.size - file.offset)
        self._roster.gone(file, self._clock.now_ns())

    # --- files that appear ----------------------------------------------------------------------

    def _arrive(self, path: str, fresh: _Fresh) -> None:
        """Take up a new file: as the next one of a stream, or as one that was rotated away before it was seen."""
        if fresh.number in self._roster.by_id:
            return  # another name of a file that was taken up just now
        name = self._rotated_from(path, fresh) or (path if fresh.matches else None)
        why = sniff.refuse_name(path)
        if name is None or why:
            if fresh.matches:
                self.refused[path] = why
            return
        self.refused.pop(path, None)
        known = self._known_content(name, path, fresh)
        if known is not None:
            self._roster.become(known, path, fresh.number, now_s=self._clock.monotonic_s())
            self._wake(known, fresh.found)
            return
        self._take_missed(name, fresh.number)
        self._admit(name, path, fresh)

    def _rotated_from(self, path: str, fresh: _Fresh) -> str | None:
        """Return the stream of a file with a rotated name that came and went unseen, if it is one."""
        for name in live_names(path):
            if not suffixed(name, path):
                continue
            newest = self._roster.newest.get(name)
            replaced = newest.away if newest is not None else self._wanted(name)
            if replaced and 0 < self._last_born_ns(name) <= fresh.number.born_ns:
                return name
            if newest is None and replaced and self._ended_before(name, fresh):
                return name
        return None

    def _ended_before(self, name: str, fresh: _Fresh) -> bool:
        """Tell whether a rotated file was complete before the file of today went on, by their times alone.

        Either the writer left it when it made the new file, or it is a copy, written at once, after which the file of
        today was cut short. A file that is written beside it (`worker.1` next to `worker`) is neither: it would
        wait for an end that never comes.
        """
        live = _plain(name)
        if live is None or not fresh.number.born_ns:
            return False
        live_born_ns = filestat.file_id(name, live).born_ns
        born_ns, mtime_ns = fresh.number.born_ns, fresh.found.mtime_ns
        if born_ns <= live_born_ns:
            return mtime_ns <= live_born_ns + _LEAVING_NS
        at_once = mtime_ns - born_ns <= _COPYING_NS
        return at_once and mtime_ns <= live.mtime_ns and mtime_ns <= self._clock.now_ns() - _QUIET_NS

    def _last_born_ns(self, name: str) -> int:
        """Return the birth of the last known file of a stream; of an unknown one, when this agent began to look."""
        newest = self._roster.newest.get(name)
        return self.first_start_ns - _BIRTH_SLACK_NS if newest is None else newest.id.born_ns

    def _take_missed(self, name: str, successor: FileId) -> None:
        """Take up the files of a stream between the last known one and its `successor`, oldest first."""
        stats: dict[str, _Fresh] = {}
        for path in self._listing(os.path.dirname(name)).rotated.get(name, ()):
            if path in self._roster.by_path or sniff.refuse_name(path):
                continue
            found = _plain(path)
            if found is not None:
                number = filestat.file_id(path, found)
                if number != successor and number not in self._roster.by_id:
                    stats[path] = _Fresh(found, number, matches=False)
        siblings = [Sibling(path, fresh.number) for path, fresh in stats.items()]
        for sibling in missed(name, self._last_born_ns(name), successor, siblings):
            self._fresh.pop(sibling.path, None)
            self._admit(name, sibling.path, stats[sibling.path])

    def _admit(self, name: str, path: str, fresh: _Fresh) -> None:
        file = self._roster.add(name, path, fresh.number, now_s=self._clock.monotonic_s())
        if self._settings.read_from == "end" and 0 < fresh.number.born_ns < self.first_start_ns - _BIRTH_SLACK_NS:
            jump(file, content.last_line_end(path, fresh.found.size, self._settings.max_line_bytes))
        self._wake(file, fresh.found)

    # --- content that is known ------------------------------------------------------------------

    def _known_content(self, name: str, path: str, fresh: _Fresh) -> Tracked | None:
        """Return the file that a new one carries on: it was replaced by a copy, or moved to another device."""
        for file in self._roster.nameless:
            same_numbers = file.id.ino == fresh.number.ino and file.id.born_ns == fresh.number.born_ns != 0
            if file.refused or not (same_numbers or file.name == name or related(file.name, path)):
                continue
            copied = copied_from(
                same_numbers=same_numbers,
                born_ns=fresh.number.born_ns,
                mtime_ns=fresh.found.mtime_ns,
                unlinked_ns=file.unlinked_ns,
            )
            if copied and self._has_rest(file, path, fresh.found.size):
                return file
        return None

    def _has_rest(self, file: Tracked, path: str, size: int) -> bool:
        compared = content.holds_rest(path, file)
        verdict = judge(
            same_file=False,
            head_fits=compared > 0,
            marker_fits=compared > 0,
            size=size,
            offset=file.offset,
            replaces=True,
            compared=compared,
            related=related(file.name, path) or path == file.name,
        )
        return verdict is Verdict.MOVED

    def renew(self, file: Tracked) -> None:
        """Begin a new generation of a file whose content is not what it was; finish the old one from a copy."""
        path, name, number = file.path, file.name, file.id
        now_s = self._clock.monotonic_s()
        self._roster.lose_path(file)
        copy = self._copy_of(file, path)
        if copy is None:
            self.lost_bytes += max(0, file.size - file.offset)
            self._roster.drop(file)
        else:
            copy_path, found = copy
            claimed = self._roster.by_path.get(copy_path)
            if claimed is not None:
                self._roster.drop(claimed)
            self._fresh.pop(copy_path, None)
            self.lost_bytes += max(0, file.size - found.size)
            self._roster.become(file, copy_path, filestat.file_id(copy_path, found), now_s=now_s)
            file.size = found.size
            self._roster.ready[file] = None
        again = self._roster.add(name, path, number, now_s=now_s, after=file)
        self._roster.ready[again] = None

    def _copy_of(self, file: Tracked, path: str) -> tuple[str, FileStat] | None:
        """Find the copy that was made of a file before it was cut short; nobody else may have begun to read it."""
        for other in _list(os.path.dirname(path)).numbers.values():
            if other == path or not related(file.name, other):
                continue
            found = _plain(other)
            owner = None if found is None else self._roster.by_id.get(filestat.file_id(other, found))
            if found is None or owner is file or (owner is not None and (owner.offset or owner.path != other)):
                continue
            if self._has_rest(file, other, found.size):
                return other, found
        return None


def jump(file: Tracked, offset: int) -> None:
    """Go on at an offset as if everything before it had been read."""
    marks = content.landmarks(file.path, offset)
    file.offset, file.head, file.before = marks.offset, marks.head, marks.before
    file.size = max(file.size, offset)


def _is_at(path: str, number: FileId) -> bool:
    found = _plain(path)
    return (
        found is not None
        and (found.dev, found.ino) == (number.dev, number.ino)
        and number.same(filestat.file_id(path, found))
    )


def _plain(path: str) -> FileStat | None:
    try:
        found = filestat.look(path)
    except OSError:
        return None
    return found if found.regular else None


def _why_unseen(path: str) -> str:
    """Return what stands against a look at a path, nothing if it is just not there."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _list(folder: str) -> _Listing:
    """List a folder; an unreadable one is empty."""
    try:
        with os.scandir(folder) as entries:
            numbers = {entry.inode(): entry.path for entry in entries}
    except OSError:
        numbers = {}
    rotated: dict[str, list[str]] = {}
    for path in numbers.values():
        for name in live_names(path):
            if suffixed(name, path):
                rotated.setdefault(name, []).append(path)
    return _Listing(numbers, rotated)
