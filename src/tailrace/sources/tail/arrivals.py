"""Take up files that appeared: whose stream they are, in which place, and whether their content is known already.

Comes in: files that nobody follows yet, and those that are gone (`Roster.nameless`). Goes out: changes of the `Roster`.
A new file carries on one that is gone (a copy, or the same content under another number), comes after the last of
its stream, or was rotated away before it was seen; else it is a stream of its own. Doubt means read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tailrace.sources.kubernetes.paths import rank
from tailrace.sources.tail import content, places, sniff
from tailrace.sources.tail.compressed import is_packed
from tailrace.sources.tail.identity import MARKER_BYTES, FileId, Verdict, judge
from tailrace.sources.tail.rotation import (
    Sibling,
    copied_from,
    in_order,
    live_names,
    missed,
    names_above,
    related,
    seniority,
    suffixed,
    temporary,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.clock import Clock
    from tailrace.sources.tail.filestat import FileStat
    from tailrace.sources.tail.places import Folders, Listing
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.settings import TailSettings
    from tailrace.sources.tail.tracked import Tracked

_BIRTH_SLACK_NS: Final = 50_000_000  # the kernel takes births from a coarse clock: doubt means read
_LEAVING_NS: Final = 10_000_000_000  # a writer may go on that long in the file that was renamed away
_COPYING_NS: Final = 10_000_000_000  # a copy may take that long
_QUIET_NS: Final = 1_000_000_000  # a copy is complete when nothing came for that long
_JUST_GONE_NS: Final = 10_000_000_000  # a file that was found missing so long ago may have been replaced


@dataclass(frozen=True, slots=True)
class Fresh:
    """A file that nobody follows yet; `matches` the configured paths or has only the name of a rotated one."""

    found: FileStat
    number: FileId
    matches: bool


class Arrivals:
    """The files of one roster that wait to be taken up."""

    def __init__(
        self,
        roster: Roster,
        settings: TailSettings,
        clock: Clock,
        wanted: Callable[[str], bool],
        folders: Folders,
    ) -> None:
        self.refused: dict[str, str] = {}  # paths that are not followed, and why
        self.first_start_ns = 0
        self.fresh: dict[str, Fresh] = {}
        self._hidden: dict[str, tuple[str, int]] = {}  # rotated files that cannot be seen: their stream, and since when
        self._noted: dict[str, Listing] = {}  # what was in the folder of a log when its copies were looked for
        self._roster = roster
        self._settings = settings
        self._clock = clock
        self._wanted = wanted  # whether a path matches the configured ones
        self._folders = folders

    def take(self, unclear: set[str]) -> None:
        """Take up what arrived, except at paths where it is unclear yet what was replaced."""
        for path in self._in_turn():
            if path not in unclear and path in self.fresh:
                self._arrive(path, self.fresh.pop(path))
        for path in list(self._hidden):
            self._look_again(path)

    def _look_again(self, path: str) -> None:
        """Take up a file that came and went unseen once it can be seen: not seen is not gone."""
        name, since_ns = self._hidden[path]
        seen = places.plain(path)
        if seen is None and places.why_unseen(path):
            return
        del self._hidden[path]
        if seen is not None and seen.number not in self._roster.by_id and since_ns <= seen.number.born_ns:
            self.fresh.pop(path, None)
            self._admit(name, path, Fresh(seen.found, seen.number, matches=False))

    def _in_turn(self) -> list[str]:
        """Return the new paths: what was rotated away before what took its name, older ones first."""
        rotated: dict[str, list[Sibling]] = {}
        others: list[Sibling] = []
        for path, fresh in self.fresh.items():
            names = (*live_names(path), *names_above(path))
            name = next((n for n in names if n in self.fresh and suffixed(n, path)), None)
            (others if name is None else rotated.setdefault(name, [])).append(
                Sibling(path, fresh.number, fresh.found.mtime_ns)
            )
        groups = [in_order(name, siblings) for name, siblings in rotated.items()]
        groups.append(sorted(others, key=lambda sibling: (sibling.id.born_ns, rank(sibling.path))))
        return [sibling.path for group in groups for sibling in group]

    def _arrive(self, path: str, fresh: Fresh) -> None:
        if fresh.number in self._roster.by_id:
            return  # another name of a file that was taken up just now
        name = self._rotated_from(path, fresh) or (path if fresh.matches else None)
        why = sniff.refuse_name(path) or temporary(path)
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
        if not is_packed(path):
            self._take_missed(name, path, fresh.number)
        self._admit(name, path, fresh)

    # --- streams --------------------------------------------------------------------------------

    def _rotated_from(self, path: str, fresh: Fresh) -> str | None:
        """Return the stream of a file with a rotated name that came and went unseen, if it is one."""
        if os.path.islink(path):
            return None  # nobody rotates links; those of containers have names that seem so: `web-6b5c4d3e2-…`
        return next((name for name in self._streams(path, fresh) if self._left(name, path, fresh)), None)

    def _streams(self, path: str, fresh: Fresh) -> list[str]:
        """Return the streams that a name tells of: first what is known, then what is there, last what may have been.

        `app.log.20260101-0415` comes from `app.log`, and not from an `app.log.20260101` that nobody has seen.
        """
        names = [name for name in live_names(path) if suffixed(name, path)]
        above = [name for name in names_above(path) if suffixed(name, path)]
        known = [name for name in (*names, *above) if name in self._roster.newest]
        others = [name for name in names if name not in self._roster.newest]
        there = [name for name in others if places.plain(name) is not None]
        guessed = [name for name in others if name not in there and (not fresh.matches or _may_have_been(name, path))]
        return known + there + guessed

    def _left(self, name: str, path: str, fresh: Fresh) -> bool:
        """Tell whether a new file was left behind by a rotation of `name`."""
        newest = self._roster.newest.get(name)
        if not is_packed(path) and _may_be_copy(name, path, fresh):
            return False  # of what is still there: that is found out while it is held back
        replaced = newest.away if newest is not None else self._wanted(name)
        if replaced and 0 < self._last_born_ns(name) <= fresh.number.born_ns:
            return True
        if newest is not None and not newest.away and not newest.offset:
            return newest.id.born_ns < fresh.number.born_ns and self._is_copy(name, path, fresh)
        return newest is None and replaced and self._ended_before(name, path, fresh)

    def _ended_before(self, name: str, path: str, fresh: Fresh) -> bool:
        """Tell whether a rotated file was complete before the file of today went on, by their times alone.

        Either the writer left it when it made the new file, or it is a copy, written at once, after which the file of
        today was cut short. A file that is written beside it (`worker.1` next to `worker`) is neither: it would
        wait for an end that never comes. Nobody logs into a compressed file.
        """
        live = places.plain(name)
        if live is None or not fresh.number.born_ns:
            return False
        if is_packed(path):
            return True
        live_born_ns = live.number.born_ns
        born_ns, mtime_ns = fresh.number.born_ns, fresh.found.mtime_ns
        if born_ns <= live_born_ns:
            return mtime_ns <= live_born_ns + _LEAVING_NS
        return self._written_at_once(fresh, live.found.mtime_ns)

    def _last_born_ns(self, name: str) -> int:
        """Return the birth of the last known file of a stream; of an unknown one, when this agent began to look."""
        newest = self._roster.newest.get(name)
        return self.first_start_ns - _BIRTH_SLACK_NS if newest is None else newest.id.born_ns

    def _take_missed(self, name: str, path: str, successor: FileId) -> None:
        """Take up the files of a stream between the last known one and its `successor` at a path, oldest first."""
        unknown = self._unknown(name, but=successor)
        for other in self._folders.listing(os.path.dirname(name)).rotated.get(name, ()):
            if other not in unknown and other not in self._roster.by_path and places.why_unseen(other):
                self._hidden[other] = (name, self._last_born_ns(name))
        newest = self._roster.newest.get(name)
        last = newest.path if newest is not None and newest.path != name and not newest.gone_ns else ""
        copies = {other for other, fresh in unknown.items() if path == name and self._is_copy(name, other, fresh)}
        siblings = [
            Sibling(other, fresh.number, fresh.found.mtime_ns, other in copies) for other, fresh in unknown.items()
        ]
        for sibling in missed(name, self._last_born_ns(name), successor, siblings, last=last):
            self.fresh.pop(sibling.path, None)
            self._admit(name, sibling.path, unknown[sibling.path])

    def cut_short(self) -> list[Tracked]:
        """Return the logs that have not what was read of them, beside which files appeared that may be their copies."""
        names = dict.fromkeys(name for path in self.fresh for name in live_names(path) if suffixed(name, path))
        lives = [live for name in names if (live := self._roster.newest.get(name)) is not None]
        return [live for live in lives if not live.away and live.path == live.name and _is_cut(live)]

    def take_later_copies(self, name: str, path: str, since_ns: int) -> bool:
        """Take up what was copied of a live file since a time, in order, but the copy at `path`; tells whether any was.

        A file that is cut short again and again while nobody looks leaves a row of them.
        """
        unknown = self._unknown(name)

        def later(other: str) -> bool:
            if not is_packed(other) and _may_be_copy(name, other, unknown[other]):
                return False
            if suffixed(name, path) and (is_packed(path) or is_packed(other)):  # born when they were compressed
                return seniority(name, other) > seniority(name, path)
            return 0 < since_ns <= unknown[other].number.born_ns

        for file in self._roster.files.values():
            if file.only_twin and file.name == name and seniority(name, file.path) > seniority(name, path):
                file.only_twin = False  # it is one of them
        found = [
            Sibling(other, fresh.number, fresh.found.mtime_ns)
            for other, fresh in unknown.items()
            if other != path and later(other)
        ]
        for sibling in in_order(name, found):
            self.fresh.pop(sibling.path, None)
            self._admit(name, sibling.path, unknown[sibling.path])
        return bool(found)

    def look_back(self, live: Tracked) -> bool:
        """Before the first byte of a log is read: take up the copies of what it had meanwhile; tells whether any was.

        It was empty when it was seen last, so nothing in it tells that it was cut short.
        """
        rotated = self._folders.fresh_listing(os.path.dirname(live.name)).rotated.get(live.name)
        if not rotated:
            return False
        older = [
            path for path in rotated if not live.away or seniority(live.name, path) < seniority(live.name, live.path)
        ]
        there = [file for path in older if (file := self._roster.by_path.get(path)) and file.name == live.name]
        known = [file.path for file in there if not file.only_twin]  # of the others that is not clear yet
        last = max(known, key=lambda path: seniority(live.name, path), default=live.name)
        return self.take_later_copies(live.name, last, max(live.id.born_ns, self.first_start_ns - _BIRTH_SLACK_NS))

    def note_copies(self, live: Tracked) -> None:
        """Know the copies of a log that no path asks for: it may have more than they when it is cut short.

        Then nothing would tell such a copy from a file that was never seen. Costs a look at the folder's time, and
        more only when a name came or went.
        """
        listing = self._folders.fresh_listing(os.path.dirname(live.path))
        rotated = listing.rotated.get(live.name, ())
        if not rotated or self._noted.get(live.name) is listing:
            return
        self._noted[live.name] = listing
        for path in rotated:
            seen = None if is_packed(path) or path in self._roster.by_path or self._wanted(path) else places.plain(path)
            if seen is None or seen.number in self._roster.by_id or not 0 < seen.found.size <= live.offset:
                continue
            if content.same_content(path, live.path, seen.found.size):
                copy = self._roster.add(live.name, path, seen.number, now_s=self._clock.monotonic_s())
                copy.noted = True
                content.jump(copy, seen.found.size)
                self._roster.finish(copy)

    def take_possible_twin(self, file: Tracked, path: str) -> None:
        """Take up a compressed file that may carry on one that is gone, and is of no use otherwise."""
        seen = places.plain(path)
        if seen is not None and seen.number not in self._roster.by_id:
            matches = path in self.fresh and self.fresh.pop(path).matches
            self._admit(file.name, path, Fresh(seen.found, seen.number, matches)).only_twin = not matches

    def _unknown(self, name: str, but: FileId | None = None) -> dict[str, Fresh]:
        """Return the files with a rotated name of a stream that nobody follows."""
        unknown: dict[str, Fresh] = {}
        for path in self._folders.listing(os.path.dirname(name)).rotated.get(name, ()):
            if path in self._roster.by_path or sniff.refuse_name(path) or temporary(path):
                continue
            seen = places.plain(path)
            if seen is not None and seen.number != but and seen.number not in self._roster.by_id:
                unknown[path] = Fresh(seen.found, seen.number, matches=False)
        return unknown

    def _is_copy(self, name: str, path: str, fresh: Fresh) -> bool:
        """Tell whether a file is a copy of what the live one had before it was cut short: complete, and not like it."""
        live = places.plain(name)
        if live is None or not self._written_at_once(fresh, live.found.mtime_ns):
            return False
        return not _may_be_copy(name, path, fresh)

    def _written_at_once(self, fresh: Fresh, before_ns: int) -> bool:
        mtime_ns = fresh.found.mtime_ns
        at_once = mtime_ns - fresh.number.born_ns <= _COPYING_NS
        return at_once and mtime_ns <= before_ns and mtime_ns <= self._clock.now_ns() - _QUIET_NS

    def _admit(self, name: str, path: str, fresh: Fresh) -> Tracked:
        file = self._roster.add(name, path, fresh.number, now_s=self._clock.monotonic_s())
        if self._settings.read_from == "end" and 0 < fresh.number.born_ns < self.first_start_ns - _BIRTH_SLACK_NS:
            if is_packed(path):
                file.spent = fresh.found.size
            else:
                longest = self._settings.max_line_bytes
                content.jump(file, content.last_line_end(path, fresh.found.size, longest, file.origin.encoding))
        self._wake(file, fresh.found)
        return file

    def _wake(self, file: Tracked, found: FileStat) -> None:
        file.seen_empty = file.seen_empty and not found.size
        file.size, file.mtime_ns = max(file.size, found.size), found.mtime_ns
        file.proven = file.size
        file.grown_s = self._clock.monotonic_s()
        self._roster.sort(file)
        self._roster.ready[file] = None

    # --- content that is known ------------------------------------------------------------------

    def _known_content(self, name: str, path: str, fresh: Fresh) -> Tracked | None:
        """Return the file that a new one carries on: it was replaced by a copy, or moved to another device."""
        for file in self._roster.nameless:
            told = fresh.number.born_ns != 0 or file.path == path
            same_numbers = told and (file.id.ino, file.id.born_ns) == (fresh.number.ino, fresh.number.born_ns)
            if file.refused or not (same_numbers or file.name == name or related(file.name, path)):
                continue
            copied = copied_from(
                same_numbers=same_numbers,
                born_ns=fresh.number.born_ns,
                mtime_ns=fresh.found.mtime_ns,
                unlinked_ns=file.unlinked_ns,
            )
            saved = not copied and file.name == path and self._seems_saved(file, fresh)
            if (copied or saved) and has_rest(file, path, fresh.found.size, by_name=copied):
                return file
        return None

    def _seems_saved(self, file: Tracked, fresh: Fresh) -> bool:
        """Tell whether a file may have been replaced by a longer copy of itself, as a save or an upload does, unseen.

        It was there when it was looked for last, has more than was read, or came to its name after it was written.
        What a program makes anew on every run begins alike too, but then its first bytes must be equal for long.
        """
        just_gone = file.gone_ns > 0 and self._clock.now_ns() - file.gone_ns <= _JUST_GONE_NS
        longer = fresh.found.size > file.offset
        renamed = fresh.found.ctime_ns > fresh.found.mtime_ns
        return just_gone and file.unlinked_ns is None and file.offset >= MARKER_BYTES and (longer or renamed)


def _is_cut(live: Tracked) -> bool:
    """Tell whether a file has not what was read of it any more."""
    seen = places.plain(live.path)
    if seen is None or live.packed or live.refused or not live.offset or not seen.number.same(live.id):
        return False
    return seen.found.size < live.offset or (content.readable(live.path) and not content.holds_rest(live.path, live))


def _may_have_been(name: str, path: str) -> bool:
    """Tell whether a log that is neither known nor there may have been rotated to a path.

    `app.log` to `app.log.1`; but `worker-1.log` and `host-10.0.0.1` are logs of their own, and so is an archive.
    """
    return not is_packed(path) and os.path.splitext(name)[1][1:].isalpha()


def _may_be_copy(name: str, path: str, fresh: Fresh) -> bool:
    """Tell whether a file may be a copy of what the live one has: it is younger, not longer, and begins alike."""
    live = places.plain(name)
    if live is None or live.found.size < fresh.found.size or 0 < fresh.number.born_ns < live.number.born_ns:
        return False
    start, begins = content.start_of(name), content.start_of(path)
    common = min(len(start), len(begins))
    return common > 0 and start[:common] == begins[:common]


def has_rest(file: Tracked, path: str, size: int, *, by_name: bool = True) -> bool:
    """Tell whether a path has what a file had up to its offset; `by_name`: a rotated name is proof in small files."""
    compared = content.holds_rest(path, file)
    verdict = judge(
        same_file=False,
        head_fits=compared > 0,
        marker_fits=compared > 0,
        size=size,
        offset=file.offset,
        replaces=True,
        compared=compared,
        related=by_name and (related(file.name, path) or path == file.name),
    )
    return verdict is Verdict.MOVED
