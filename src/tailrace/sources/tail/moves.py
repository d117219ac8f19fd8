"""What happened to the files: turns looks at paths into files that appear, move, are replaced or vanish.

Comes in: paths that deserve a look, in any order, with any of them missing. Goes out: changes of the `Roster`.
Looks come first, then `resolve` decides about everything that was seen, since a rename is only
understood when both of its names were looked at. The decisions are those of `identity` and `rotation`.
"""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Final

from tailrace.sources.tail import filestat
from tailrace.sources.tail.arrivals import Arrivals, Fresh, has_rest
from tailrace.sources.tail.compressed import is_packed
from tailrace.sources.tail.places import Folders, is_at, plain, why_unseen
from tailrace.sources.tail.rotation import live_names, related, seniority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tailrace.clock import Clock
    from tailrace.sources.tail.filestat import FileStat, Seen
    from tailrace.sources.tail.places import Listing
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.settings import TailSettings
    from tailrace.sources.tail.tracked import Tracked

AWAIT_S: Final = 3.0
"""What a file had that is gone is waited for so long, when it may come again in a compressed file beside it."""


class Moves:
    """Follows the files of one roster from path to path."""

    def __init__(self, roster: Roster, settings: TailSettings, clock: Clock, wanted: Callable[[str], bool]) -> None:
        self.truncations = 0
        self._roster = roster
        self._clock = clock
        self._wanted = wanted  # whether a path matches the configured ones
        self._folders = Folders()
        self.arrivals = Arrivals(roster, settings, clock, wanted, self._folders)
        self._missing: dict[Tracked, None] = {}

    @property
    def refused(self) -> dict[str, str]:
        """Paths that are not followed, and why."""
        return self.arrivals.refused

    def put_back(self, files: list[Tracked]) -> None:
        """Start from a checkpoint: every file that was there is to be found again."""
        self._roster.put_back(files)
        self._missing.update((file, None) for file in files if not file.gone_ns)

    def unchanged(self, path: str, found: os.stat_result) -> bool:
        """Tell whether a plain file looks as it did; of a checkpoint's file that is the proof that it is there."""
        if not self._roster.unchanged(path, found):
            return False
        if self._missing:
            self._missing.pop(self._roster.by_path[path], None)
        return True

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
            seen = filestat.see(path)
        except (FileNotFoundError, NotADirectoryError):
            self.refused.pop(path, None)
            self.arrivals.fresh.pop(path, None)
            self._lose(here)
            return
        except OSError as error:  # not seen is not gone
            if here is not None:
                here.trouble = error.strerror or str(error)
            elif matches:
                self.refused[path] = error.strerror or str(error)
            return
        if seen.found.regular:
            self._place(path, seen, here, matches=matches)
        else:
            self._lose(here)
            if matches:
                self.refused[path] = f"a {seen.found.kind()}, not a file"

    def lose(self, file: Tracked) -> None:
        """Take the news that the path of a file has none, or another one."""
        path = file.path
        self._lose(file)
        self.look(path, matches=path == file.name)

    def _place(self, path: str, seen: Seen, here: Tracked | None, *, matches: bool) -> None:
        known = self._roster.by_id.get(seen.number)
        if known is None and here is not None and here.id.same(seen.number):
            known = here  # its birth is not told any more, or was not
        if known is not here:
            self._lose(here)
        if known is None:
            self.arrivals.fresh[path] = Fresh(seen.found, seen.number, matches)
        elif known is here:
            self._missing.pop(known, None)
            self._wake(known, seen.found)
        elif known in self._missing or not is_at(known.path, known.id):
            known.mtime_ns = seen.found.mtime_ns
            self._move(known, path)
            self._wake(known, seen.found)
        # else it is another name of a file that is followed already: read once

    def _lose(self, file: Tracked | None) -> None:
        if file is not None:
            self._roster.lose_path(file)
            self._missing[file] = None
            if not file.away:
                file.away, file.grown_s = True, self._clock.monotonic_s()

    def _move(self, file: Tracked, path: str) -> None:
        self._missing.pop(file, None)
        self.arrivals.fresh.pop(path, None)
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
        self._folders.clear()
        vanished: list[Tracked] = []
        for file in list(self._missing):
            path = self._found_elsewhere(file)
            if path is not None:
                self._move(file, path)
                self._roster.ready[file] = None
            elif file.handle >= 0:
                del self._missing[file]
                self._roster.nameless[file] = None
                self._roster.ready[file] = None
            elif walked and self._not_found(file):
                vanished.append(file)
        for live in self.arrivals.cut_short():
            self.renew(live)
        self.arrivals.take({file.name for file in self._missing})  # what replaces them is not understood yet
        for file in vanished:
            if file.gone_ns and file not in self._roster.awaited:
                self._roster.lose_rest(file)
        return not self._missing

    def give_up(self) -> None:
        """Count what was awaited for long and did not come."""
        now_s = self._clock.monotonic_s()
        for file in [file for file, until_s in self._roster.awaited.items() if until_s <= now_s]:
            del self._roster.awaited[file]
            if file.gone_ns:
                self._roster.lose_rest(file)
                self._roster.finish(file)

    def _found_elsewhere(self, file: Tracked) -> str | None:
        places = [file.path, file.real]
        if file.handle >= 0:
            if self._is_unlinked(file):
                return None
            places.append(filestat.path_of(file.handle) or "")
        near = self._folders.near(os.path.dirname(file.path))  # listed one by one, as far as they are asked for
        found = chain(places, (listing.numbers.get(file.id.ino, "") for listing in near))
        return next((path for path in found if path and is_at(path, file.id)), None)

    def _is_unlinked(self, file: Tracked) -> bool:
        try:
            found = filestat.look(file.handle)
        except OSError:
            return False
        if not found.links:
            file.unlinked_ns = found.ctime_ns
        return not found.links

    def _not_found(self, file: Tracked) -> bool:
        """Take a file for gone, unless it was only not seen; True if it is."""
        del self._missing[file]
        why = why_unseen(file.path)
        if why:  # not seen is not gone
            file.trouble = why
            self._roster.by_path.setdefault(file.path, file)
            return False
        self._leave(file)
        return True

    def _leave(self, file: Tracked) -> None:
        """Note that a file is gone; the rest of its stream waits if its own rest may be in a compressed file."""
        settled = file.gone_ns > 0 or (is_packed(file.path) and file.finished)  # a compressed file has no rest to come
        packed = [] if settled else self._packed_beside(file)
        self._roster.gone(file, self._clock.now_ns())
        if packed:
            self._roster.join(file)
            self._roster.awaited[file] = self._clock.monotonic_s() + AWAIT_S
        for path in sorted(packed, key=lambda path: seniority(file.name, path)):
            if path not in self._roster.by_path:
                self.arrivals.take_possible_twin(file, path)

    def _packed_beside(self, file: Tracked) -> list[str]:
        """Return the compressed files that may have what a file had, and of which that is not known yet."""
        listings = list(self._rotated_to(file.name))
        if os.path.dirname(file.path) != os.path.dirname(file.name):
            listings.append(self._folders.listing(os.path.dirname(file.path)))
        return [
            path
            for path in dict.fromkeys(path for listing in listings for path in listing.numbers.values())
            if is_packed(path)
            and (related(file.name, path) or related(file.path, path))
            and ((there := self._roster.by_path.get(path)) is None or not there.text)
            and (there is not None or self._is_unknown(path))
        ]

    def _rotated_to(self, name: str) -> Iterator[Listing]:
        """Yield the folders to which a log may be rotated; one near by with such a log of its own is no such folder."""
        folder, base = os.path.split(name)
        for listing in self._folders.near(folder):
            if listing.folder == folder or os.path.join(listing.folder, base) not in listing.numbers.values():
                yield listing

    def _is_unknown(self, path: str) -> bool:
        seen = plain(path)
        return seen is not None and seen.number not in self._roster.by_id

    # --- content that is not what it was ----------------------------------------------------------

    def renew(self, file: Tracked) -> None:
        """Begin a new generation of a file whose content is not what it was; finish the old one from a copy."""
        path, name, number, seen_ns = file.path, file.name, file.id, file.ctime_ns
        seen_mtime_ns = file.mtime_ns if (there := plain(path)) is None else there.found.mtime_ns
        now_s = self._clock.monotonic_s()
        self.truncations += 1
        self._folders.clear()
        self._roster.lose_path(file)
        copy = None if file.packed else self._copy_of(file, path)
        more = False
        if copy is not None:
            self._finish_from(file, *copy)
            more = self.arrivals.take_later_copies(name, copy[0], copy[1].number.born_ns)
        elif file.packed or not self._packed_beside(file):
            self._roster.lost_bytes += 0 if file.packed else file.lost_bytes
            self._roster.drop(file)
            more = path == name and not file.packed and self.arrivals.take_later_copies(name, path, seen_ns)
        else:
            self._roster.close(file)
            self._leave(file)
        again = self._roster.add(name, path, number, now_s=now_s, after=None if more else file)
        again.mtime_ns = seen_mtime_ns
        self._roster.sort(again)
        self._roster.ready[again] = None

    def _finish_from(self, file: Tracked, path: str, seen: Seen) -> None:
        claimed = self._roster.by_path.get(path)
        if claimed is not None:
            self._roster.drop(claimed)
        self.arrivals.fresh.pop(path, None)
        unread = file.proven - max(seen.found.size, file.offset)  # written after the copy
        self._roster.lost_bytes += max(0, unread)
        file.mtime_ns = seen.found.mtime_ns
        self._roster.become(file, path, seen.number, now_s=self._clock.monotonic_s())
        file.size = seen.found.size
        self._roster.ready[file] = None

    def _copy_of(self, file: Tracked, path: str) -> tuple[str, Seen] | None:
        """Find the copy that was made of a file before it was cut short; nobody else may have begun to read it."""
        for other in self._possible_copies(file, path):
            seen = plain(other)
            owner = None if seen is None else self._roster.by_id.get(seen.number)
            taken = owner is not None and (owner.offset > file.offset or owner.path != other)
            if seen is None or owner is file or taken:
                continue
            if has_rest(file, other, seen.found.size):
                return other, seen
        return None

    def _possible_copies(self, file: Tracked, path: str) -> Iterator[str]:
        """Yield where a copy may be: in a folder near by, or wherever a new file is followed."""
        for folder in self._rotated_to(path):
            yield from (other for other in folder.numbers.values() if other != path and related(file.name, other))
        for other in list(self._roster.files.values()):
            if other.offset <= file.offset and other is not file and related(file.name, other.path):
                yield other.path
