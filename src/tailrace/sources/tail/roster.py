"""Who is followed: turns looks at paths into files that appear, move, are replaced or vanish.

Comes in: paths that deserve a look. Goes out: `ready`, the files that may have something to read, and
`changed`, those whose state is to be marked. It opens files only to compare content, and decides with
`identity.judge` and the functions of `rotation`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tailrace.contracts import Origin
from tailrace.sources.tail import content, filestat, sniff
from tailrace.sources.tail.identity import FileId, Verdict, judge
from tailrace.sources.tail.labels import labels_of
from tailrace.sources.tail.rotation import Sibling, copied_from, live_names, missed, related
from tailrace.sources.tail.tracked import Tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tailrace.clock import Clock
    from tailrace.sources.tail.filestat import FileStat
    from tailrace.sources.tail.settings import TailSettings

_BIRTH_SLACK_NS: Final = 50_000_000  # the kernel takes births from a coarse clock: doubt means read


class Roster:
    """The files of one source, by key, by number and by path."""

    def __init__(
        self, settings: TailSettings, *, name: str, host: str, clock: Clock, close: Callable[[Tracked], None]
    ) -> None:
        self.files: dict[str, Tracked] = {}
        self.refused: dict[str, str] = {}  # paths that are not followed, and why
        self.ready: dict[Tracked, None] = {}
        self.changed: dict[str, Tracked | None] = {}
        self.held: dict[Tracked, float] = {}  # seeming copies, and when they were looked at last
        self.lost_bytes = 0
        self.first_start_ns = 0
        self._settings = settings
        self._name = name
        self._host = host
        self._clock = clock
        self._close = close
        self._reading = settings.reading()
        self._by_path: dict[str, Tracked] = {}
        self._by_real: dict[str, Tracked] = {}
        self._by_file: dict[tuple[int, int], Tracked] = {}
        self._streams: dict[str, list[Tracked]] = {}  # files in order; finished ones have left
        self._fresh: dict[str, tuple[FileStat, FileId]] = {}
        self._missing: dict[Tracked, None] = {}
        self._nameless: dict[Tracked, None] = {}  # gone, or reachable by their descriptor only
        self._order = 0

    # --- what is known --------------------------------------------------------------------------

    def at(self, path: str) -> Tracked | None:
        """Return the file that is followed at a path."""
        return self._by_path.get(path)

    def at_real(self, path: str) -> Tracked | None:
        """Return the file that is followed by a link to a path."""
        return self._by_real.get(path)

    def paths_in(self, folder: str) -> list[str]:
        """Return the paths directly in a folder at which files are followed."""
        return [path for path in self._by_path if os.path.dirname(path) == folder]

    def unchanged(self, path: str, found: os.stat_result) -> bool:
        """Tell whether a plain file looks as it did: nothing to do, the usual case of a full walk."""
        file = self._by_path.get(path)
        return (
            file is not None
            and (file.id.ino, file.id.dev) == (found.st_ino, found.st_dev)
            and (file.size, file.ctime_ns) == (found.st_size, found.st_ctime_ns)
            and (bool(file.refused) or file.offset == file.size)
        )

    def before(self, file: Tracked) -> Tracked | None:
        """Return the file of the same stream that must be read to its end first."""
        stream = self._streams.get(file.name, [])
        return stream[0] if stream and stream[0] is not file and file in stream else None

    def restore(self, key: str, state: object) -> None:
        """Take over a file from a checkpoint; raises if the state is not one."""
        file = Tracked.of(key, state, Origin(key, {}, self._reading))
        file.origin = self._origin(key, file.name)
        self.files[key] = file
        self._order = max(self._order, file.order + 1)
        self._by_file[file.id.dev, file.id.ino] = file

    def settle_restored(self) -> None:
        """Order what was restored; called once, before the first walk."""
        for file in sorted(self.files.values(), key=lambda file: file.order):
            numbers = (file.id.dev, file.id.ino)
            if self._by_file[numbers].generation < file.generation:
                self._by_file[numbers] = file
            if not file.finished and not file.gone_ns:
                self._streams.setdefault(file.name, []).append(file)
            (self._nameless if file.gone_ns else self._missing)[file] = None

    # --- looks ----------------------------------------------------------------------------------

    def look(self, path: str, *, matches: bool) -> None:
        """Look at a path; files that appear are taken up by `resolve`, when all paths were looked at."""
        here = self._by_path.get(path)
        try:
            found = filestat.look(path)
        except (FileNotFoundError, NotADirectoryError):
            self.refused.pop(path, None)
            self._fresh.pop(path, None)
            if here is not None:
                self._lose(here)
            return
        except OSError as error:
            if here is not None:
                here.trouble = error.strerror or str(error)
            elif matches:
                self.refused[path] = error.strerror or str(error)
            return
        if not found.regular:
            if here is not None:
                self._lose(here)
            if matches:
                self.refused[path] = f"a {found.kind()}, not a file"
            return
        self._place(path, found, here, matches=matches)

    def _place(self, path: str, found: FileStat, here: Tracked | None, *, matches: bool) -> None:
        number = filestat.file_id(path, found)
        known = self._by_file.get((found.dev, found.ino))
        if known is not None and not known.id.same(number):
            known = None  # the number was given to another file
        if known is not None and known is here:
            self._wake(known, found)
            return
        if known is not None and known not in self._missing and known.path != path and _is_at(known.path, number):
            if here is not None:
                self._lose(here)
            return  # another name of a file that is followed already
        if here is not None:
            self._lose(here)
        if known is not None:
            self._move(known, path)
            self._wake(known, found)
        elif matches:
            self._fresh[path] = (found, number)

    def _wake(self, file: Tracked, found: FileStat) -> None:
        if file.refused:
            file.size, file.ctime_ns = found.size, found.ctime_ns
        elif not file.original:
            self.ready[file] = None

    def _move(self, file: Tracked, path: str) -> None:
        self._missing.pop(file, None)
        if self._by_path.get(file.path) is file:
            del self._by_path[file.path]
        self._by_path[path] = file
        file.path = path
        file.gone_ns = 0
        self._nameless.pop(file, None)
        away = path != file.name
        if away != file.away:
            file.away, file.grown_s = away, self._clock.monotonic_s()
        if not away and file.finished:  # rotation was undone: the name is its own again
            file.finished = False
            self._streams.setdefault(file.name, []).append(file)
        self.changed[file.key] = file

    def _lose(self, file: Tracked) -> None:
        """The path has no file, or another one: find out later where this one is."""
        if self._by_path.get(file.path) is file:
            del self._by_path[file.path]
        if not file.away:
            file.away, file.grown_s = True, self._clock.monotonic_s()
        self._missing[file] = None

    def lose(self, file: Tracked) -> None:
        """Take the news of a reader that the path of a file has none, or another one."""
        self._lose(file)
        self.look(file.path, matches=file.path == file.name)

    # --- after the looks ------------------------------------------------------------------------

    def resolve(self, *, walked: bool) -> bool:
        """Decide about files that were lost and files that appeared; False asks for a full walk first.

        `walked`: every path was looked at, so what is missing now is gone.
        """
        rotated: list[Tracked] = []
        listed: dict[str, dict[int, str]] = {}
        for file in list(self._missing):
            was_live = file.away and not file.finished
            path = self._found_elsewhere(file, listed)
            if path is not None:
                self._move(file, path)
                self.ready[file] = None
            elif file.handle >= 0:
                del self._missing[file]
                self._nameless[file] = None
                self.ready[file] = None
            elif walked:
                self._gone(file)
            if was_live and file not in self._missing:
                rotated.append(file)
        for file in rotated:
            self._take_missed(file)
        for path, (found, number) in sorted(self._fresh.items(), key=lambda item: item[1][1].born_ns):
            if not self._waits_for_walk(path):
                del self._fresh[path]
                self._admit(path, path, found, number)
        return not self._missing

    def _waits_for_walk(self, path: str) -> bool:
        """Tell whether a file of the same stream is being looked for: whether this one replaces it is not known yet."""
        return any(file.name == path for file in self._missing)

    def _found_elsewhere(self, file: Tracked, listed: dict[str, dict[int, str]]) -> str | None:
        if file.handle >= 0:
            found = filestat.look(file.handle)
            if not found.links:
                file.unlinked_ns = found.ctime_ns
                return None
            path = filestat.path_of(file.handle)
            return path if path is not None and _is_at(path, file.id) else None
        if _is_at(file.path, file.id):
            return file.path
        folder = os.path.dirname(file.path)
        if folder not in listed:
            listed[folder] = _numbers_in(folder)
        path = listed[folder].get(file.id.ino)
        return path if path is not None and _is_at(path, file.id) else None

    def _gone(self, file: Tracked) -> None:
        self._missing.pop(file, None)
        self.lost_bytes += max(0, file.size - file.offset)
        file.gone_ns = file.gone_ns or self._clock.now_ns()
        self._nameless[file] = None
        self.finish(file)

    def finish(self, file: Tracked) -> None:
        """Take a file out of its stream: it is read to its end, or gone."""
        file.finished = True
        stream = self._streams.get(file.name, [])
        if file in stream:
            stream.remove(file)
            if not stream:
                del self._streams[file.name]
            else:
                self.ready[stream[0]] = None
        self.ready.pop(file, None)
        self.changed[file.key] = file

    def vanish(self, file: Tracked) -> None:
        """Note that a file without a name was closed: nobody can read it any more."""
        file.gone_ns = self._clock.now_ns()
        self._nameless[file] = None
        self.finish(file)

    def forget(self, gone_before_ns: int) -> None:
        """Drop the state of files that are gone for long."""
        for file in [f for f in self._nameless if 0 < f.gone_ns < gone_before_ns]:
            self._drop(file)

    def _drop(self, file: Tracked) -> None:
        self.finish(file)
        del self.files[file.key]
        self.changed[file.key] = None
        self.held.pop(file, None)
        self._missing.pop(file, None)
        self._nameless.pop(file, None)
        self._close(file)
        if self._by_real.get(file.real) is file:
            del self._by_real[file.real]
        if self._by_path.get(file.path) is file:
            del self._by_path[file.path]
        if self._by_file.get((file.id.dev, file.id.ino)) is file:
            del self._by_file[file.id.dev, file.id.ino]

    # --- files that appear ----------------------------------------------------------------------

    def _take_missed(self, newest: Tracked) -> None:
        """Take up files that came and were rotated away between two looks, or while nobody looked."""
        siblings: list[Sibling] = []
        stats: dict[str, FileStat] = {}
        for path in _numbers_in(os.path.dirname(newest.name)).values():
            if path in self._by_path or not related(newest.name, path) or sniff.refuse_name(path):
                continue
            found = _plain(path)
            if found is None or (found.dev, found.ino) in self._by_file:
                continue
            stats[path] = found
            siblings.append(Sibling(path, filestat.file_id(path, found)))
        for sibling in missed(newest.name, newest.id, siblings):
            self._fresh.pop(sibling.path, None)
            self._admit(newest.name, sibling.path, stats[sibling.path], sibling.id)

    def _admit(self, name: str, path: str, found: FileStat, number: FileId) -> None:
        why = sniff.refuse_name(path)
        if why:
            self.refused[path] = why
            return
        self.refused.pop(path, None)
        known = self._known_content(name, path, found, number)
        if known is not None:
            self._become(known, path, number)
            self._wake(known, found)
            return
        file = self._new(name, path, number)
        if self._settings.read_from == "end" and self._is_older(number):
            _jump(file, content.last_line_end(path, found.size, self._settings.max_line_bytes))
        self._wake(file, found)

    def _new(self, name: str, path: str, number: FileId, generation: int = 0) -> Tracked:
        while (key := f"{number.dev:x}.{number.ino:x}.{number.born_ns:x}.{generation}") in self.files:
            generation += 1
        file = Tracked(key, name, path, number, generation, self._order, self._origin(key, name))
        self._order += 1
        file.away = path != name
        file.grown_s = self._clock.monotonic_s()
        real = os.path.realpath(path)
        if real != path:
            file.real = real
            self._by_real[real] = file
        self.files[key] = file
        self._by_path[path] = file
        self._by_file[number.dev, number.ino] = file
        self._streams.setdefault(name, []).append(file)
        self.changed[key] = file
        return file

    def _is_older(self, number: FileId) -> bool:
        return 0 < number.born_ns < self.first_start_ns - _BIRTH_SLACK_NS

    def _origin(self, key: str, name: str) -> Origin:
        labels = labels_of(name, host=self._host, source=self._name, extra=self._settings.labels)
        return Origin(key, labels, self._reading)

    # --- content that is known ------------------------------------------------------------------

    def _known_content(self, name: str, path: str, found: FileStat, number: FileId) -> Tracked | None:
        """Return the file whose content a new one carries on: replaced by a copy, or moved to another device."""
        for file in self._nameless:
            if file.refused:
                continue
            same_numbers = file.id.ino == number.ino and file.id.born_ns == number.born_ns != 0
            if not (same_numbers or file.name == name or related(file.name, path)):
                continue
            if not copied_from(
                same_numbers=same_numbers,
                born_ns=number.born_ns,
                mtime_ns=found.mtime_ns,
                unlinked_ns=file.unlinked_ns,
                shrunk=False,
            ):
                continue
            if self._verdict(file, path, found.size) is Verdict.MOVED:
                return file
        return None

    def _verdict(self, file: Tracked, path: str, size: int) -> Verdict:
        compared = content.holds_rest(path, file)
        return judge(
            same_file=False,
            head_fits=compared > 0,
            marker_fits=compared > 0,
            size=size,
            offset=file.offset,
            replaces=True,
            compared=compared,
            related=related(file.name, path) or path == file.name,
        )

    def _become(self, file: Tracked, path: str, number: FileId) -> None:
        """Go on with the state of a file in another one that has its content."""
        self._close(file)
        if self._by_file.get((file.id.dev, file.id.ino)) is file:
            del self._by_file[file.id.dev, file.id.ino]
        file.id, file.unlinked_ns, file.gone_ns = number, None, 0
        self._by_file[number.dev, number.ino] = file
        self._move(file, path)
        if file not in self._streams.setdefault(file.name, []):
            self._streams[file.name].append(file)
            self._streams[file.name].sort(key=lambda member: member.order)
        file.finished = False

    def renew(self, file: Tracked) -> None:
        """Begin a new generation: the content of a file is not what it was; finish the old one from a copy.

        The caller has closed the file.
        """
        path, number, generation = file.path, file.id, file.generation
        if self._by_path.get(path) is file:
            del self._by_path[path]
        copy = self._copy_of(file)
        if copy is None:
            self.lost_bytes += max(0, file.size - file.offset)
            self._drop(file)
        else:
            copy_path, found, copy_number = copy
            claimed = self._by_path.get(copy_path)
            if claimed is not None:
                self._drop(claimed)
            self._fresh.pop(copy_path, None)
            self.lost_bytes += max(0, file.size - found.size)
            self._become(file, copy_path, copy_number)
            self.ready[file] = None
        fresh = self._new(file.name, path, number, generation + 1)
        fresh.away = path != file.name
        self.ready[fresh] = None

    def _copy_of(self, file: Tracked) -> tuple[str, FileStat, FileId] | None:
        """Find the copy that was made of a file before it was cut short."""
        for path in _numbers_in(os.path.dirname(file.path)).values():
            known = self._by_path.get(path)
            if path == file.path or (known is not None and known.offset > 0) or not related(file.name, path):
                continue
            found = _plain(path)
            if found is None:
                continue
            owner = self._by_file.get((found.dev, found.ino))
            if owner is not None and owner is not known:
                continue
            number = filestat.file_id(path, found)
            if self._verdict(file, path, found.size) is Verdict.MOVED:
                return path, found, number
        return None

    def seems_copy(self, file: Tracked) -> bool:
        """Hold a new file back that begins like the live file it may be a copy of; tells whether it does."""
        if not self._settings.follow or file.away or file.offset:
            return False
        start = content.start_of(file.path)
        for path in live_names(file.path):
            live = self._by_path.get(path)
            if live is None or live is file or live.original or not live.head.length or live.id.same(file.id):
                continue
            length = min(len(start), live.head.length)
            if length and start[:length] == content.start_of(path)[:length]:
                file.original = path
                self.held[file] = self._clock.monotonic_s()
                self.ready.pop(file, None)
                return True
        return False

    def release(self, file: Tracked, *, is_copy: bool) -> None:
        """Decide about a file that was held back: it is a copy, read already, or one of its own."""
        del self.held[file]
        file.original = ""
        if is_copy:
            _jump(file, filestat.look(file.path).size)
            self.finish(file)
        else:
            self.ready[file] = None

    def refuse(self, file: Tracked) -> None:
        """Note that a file is not text."""
        self._close(file)
        self.finish(file)

    def paths(self) -> Iterable[str]:
        """Return the paths at which files are followed."""
        return list(self._by_path)


def _jump(file: Tracked, offset: int) -> None:
    """Go on at an offset as if everything before it had been read."""
    marks = content.landmarks(file.path, offset)
    file.offset, file.head, file.before = marks.offset, marks.head, marks.before
    file.size = max(file.size, offset)


def _is_at(path: str, number: FileId) -> bool:
    try:
        found = filestat.look(path)
    except OSError:
        return False
    return (found.dev, found.ino) == (number.dev, number.ino) and number.same(filestat.file_id(path, found))


def _plain(path: str) -> FileStat | None:
    try:
        found = filestat.look(path)
    except OSError:
        return None
    return found if found.regular else None


def _numbers_in(folder: str) -> dict[int, str]:
    """Return the paths in a folder by inode number."""
    try:
        with os.scandir(folder) as entries:
            return {entry.inode(): entry.path for entry in entries}
    except OSError:
        return {}
