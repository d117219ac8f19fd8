"""Who is followed: every file by key, by path and by identity, and the order of the files of one stream.

Holds the books and opens nothing; `moves` decides what enters them, `turns` reads what is `ready`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tailrace.contracts import Origin
from tailrace.encoding import encoding_of
from tailrace.sources.tail.compressed import is_packed
from tailrace.sources.tail.labels import labels_of
from tailrace.sources.tail.rotation import Sibling, in_order, suffixed
from tailrace.sources.tail.tracked import Tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tailrace.contracts import Reading
    from tailrace.encoding import Encoding
    from tailrace.sources.tail.identity import FileId


class Roster:
    """The files of one source."""

    def __init__(
        self,
        *,
        host: str,
        source: str,
        labels: Mapping[str, str],
        reading: Reading,
        encoding: Encoding,
        close: Callable[[Tracked], None],
    ) -> None:
        self.rotations = 0  # files that took over the name of another one
        self.lost_bytes = 0  # what was there and cannot be read any more, as far as it has not come again
        self.files: dict[str, Tracked] = {}
        self.ready: dict[Tracked, None] = {}  # they may have something to read, in order of their turns
        self.changed: dict[str, Tracked | None] = {}  # since the last mark; None is forgotten
        self.nameless: dict[Tracked, None] = {}  # gone, or reachable by their descriptor only
        self.awaited: dict[Tracked, float] = {}  # gone, but their rest may come again: until when their streams wait
        self.by_path: dict[str, Tracked] = {}
        self.by_real: dict[str, Tracked] = {}  # files followed by a link, at the path that it leads to
        self.by_id: dict[FileId, Tracked] = {}  # the last generation of each
        self.newest: dict[str, Tracked] = {}  # the last file of each stream; a compressed one only if there is no other
        self._streams: dict[str, Tracked | list[Tracked]] = {}  # files that are not finished; several are in order
        self._host = host
        self._source = source
        self._labels = labels
        self._reading = reading
        self._encoding = encoding
        self.close = close
        self.maker = self._origin  # one object for all files
        self._order = 0

    def _origin(self, file: Tracked) -> Origin:
        encoding = encoding_of(file.codec, self._encoding.delimiter) if file.codec else self._encoding
        labels = labels_of(file.name, host=self._host, source=self._source, extra=self._labels)
        return Origin(file.key, labels, self._reading, encoding)

    def add(self, name: str, path: str, number: FileId, *, now_s: float, after: Tracked | None = None) -> Tracked:
        """Take up a file as the last one of its stream, or as the next generation `after` one."""
        order, generation = (self._order, 0) if after is None else (after.order, after.generation + 1)
        while (key := f"{number.dev:x}.{number.ino:x}.{number.born_ns:x}.{generation}") in self.files:
            generation += 1
        codec = "" if after is None else after.codec
        file = Tracked(key, name, path, number, generation, order, self.maker, codec=codec)
        file.away, file.grown_s = path != name, now_s
        before = self.newest.get(name)
        self.rotations += before is not None and before.away and not file.away and after is None
        self._order = max(self._order, order + 1)
        self.files[key] = file
        self.by_path[path] = file
        self.by_id[number] = file
        if before is None or path == name or (before.away and not is_packed(path)):
            self.newest[name] = file
        self.join(file)
        if os.path.islink(path):
            self.link(path)
        self.changed[key] = file
        return file

    def link(self, path: str) -> None:
        """Note where the link leads to by which a file is followed: its own folder tells nothing about that place."""
        try:
            file, real = self.by_path.get(path), os.path.realpath(path)
        except OSError:  # a link that cannot be read now: the next look tells
            return
        real = "" if real == path else real
        if file is not None and real != file.real:
            if self.by_real.get(file.real) is file:
                del self.by_real[file.real]
            file.real = real
            if real:
                self.by_real[real] = file

    def put_back(self, files: Iterable[Tracked]) -> None:
        """Take up files as a checkpoint had them, where they were then."""
        for file in sorted(files, key=lambda file: file.place):
            self.files[file.key] = file
            self.by_id[file.id] = file
            before = self.newest.get(file.name)
            if before is None or file.path == file.name or (before.path != before.name and not file.packed):
                self.newest[file.name] = file
            if not file.finished and not file.gone_ns:
                self.join(file)
            if file.gone_ns:
                self.nameless[file] = None
            else:
                self.by_path[file.path] = file
            self._order = file.order + 1

    def before(self, file: Tracked) -> Tracked | None:
        """Return the file of the same stream that must be read to its end first."""
        stream = self._streams.get(file.name)
        if not isinstance(stream, list) or stream[0] is file:
            return None
        return stream[0] if file in stream else None

    def join(self, file: Tracked) -> None:
        """Put a file into its stream, at its place."""
        stream = self._streams.setdefault(file.name, file)
        members = stream if isinstance(stream, list) else [stream]
        if file not in members:
            self._streams[file.name] = in_turn([*members, file])
        file.finished = False

    def put_last(self, file: Tracked) -> None:
        """Let a file come after all others of its stream."""
        file.order, self._order = self._order, self._order + 1
        self.sort(file)
        self.changed[file.key] = file

    def replace(self, file: Tracked, by: Tracked) -> None:
        """Forget a file of which nothing was read for another one that has all of it."""
        self.drop(file)
        by.order, by.generation = file.place
        self.sort(by)
        self.changed[by.key] = by

    def sort(self, file: Tracked) -> None:
        """Put the files of a stream in order again after one of them got another name or place."""
        stream = self._streams.get(file.name)
        if isinstance(stream, list):
            stream[:] = in_turn(stream)

    def finish(self, file: Tracked) -> None:
        """Take a file out of its stream: it is read to its end, or gone. It is still read if it grows again."""
        self.step_aside(file)
        self.ready.pop(file, None)
        if not file.finished:
            file.finished = True
            self.changed[file.key] = file

    def step_aside(self, file: Tracked) -> None:
        """Take a file out of its stream, so that no other waits for it, until it joins again."""
        stream = self._streams.get(file.name)
        if stream is file:
            del self._streams[file.name]
        elif isinstance(stream, list) and file in stream:
            stream.remove(file)
            self.ready[stream[0]] = None
            if len(stream) == 1:
                self._streams[file.name] = stream[0]

    def lose_path(self, file: Tracked) -> None:
        """Note that the path of a file has none, or another one."""
        if self.by_path.get(file.path) is file:
            del self.by_path[file.path]

    def move(self, file: Tracked, path: str, *, now_s: float) -> None:
        """Note where a file is now; if its name is its own again it is followed as before."""
        self.lose_path(file)
        self.by_path[path] = file
        self.nameless.pop(file, None)
        self.awaited.pop(file, None)
        away = path != file.name
        if (file.path, file.away, file.gone_ns) != (path, away, 0):
            self.changed[file.key] = file
        if away and not file.away:
            file.grown_s = now_s
        file.path, file.away, file.gone_ns = path, away, 0
        if not away and file.finished:
            self.join(file)
        self.sort(file)

    def become(self, file: Tracked, path: str, number: FileId, *, now_s: float) -> None:
        """Go on with the state of a file in another one that has its content."""
        self.close(file)
        self._lose_id(file)
        self.lost_bytes -= file.given_up
        file.id, file.unlinked_ns, file.given_up = number, None, 0
        file.packed, file.spent = "", -1
        self.by_id[number] = file
        self.move(file, path, now_s=now_s)
        self.join(file)
        self.changed[file.key] = file

    def lose_rest(self, file: Tracked) -> None:
        """Count what is left of a file as lost, until its content comes again."""
        self.lost_bytes += file.lost_bytes
        file.given_up += file.lost_bytes

    def gone(self, file: Tracked, now_ns: int) -> None:
        """Note that nobody can read a file any more; its state is kept for a while."""
        file.gone_ns = file.gone_ns or now_ns
        file.away = True
        self.nameless[file] = None
        self.changed[file.key] = file
        if file not in self.awaited:
            self.finish(file)

    def drop(self, file: Tracked) -> None:
        """Forget a file."""
        self.close(file)
        self.finish(file)
        self.lose_path(file)
        self._lose_id(file)
        self.nameless.pop(file, None)
        self.awaited.pop(file, None)
        if self.by_real.get(file.real) is file:
            del self.by_real[file.real]
        if self.newest.get(file.name) is file:
            del self.newest[file.name]
        del self.files[file.key]
        self.changed[file.key] = None

    def forget(self, gone_before_ns: int) -> None:
        """Drop the files that are gone for long."""
        for file in [f for f in self.nameless if 0 < f.gone_ns < gone_before_ns]:
            self.drop(file)

    def unchanged(self, path: str, found: os.stat_result) -> bool:
        """Tell whether a plain file looks as it did: the usual case of a full walk, nothing to do."""
        file = self.by_path.get(path)
        return (
            file is not None
            and (file.id.ino, file.id.dev) == (found.st_ino, found.st_dev)
            and (file.size, file.ctime_ns) == (found.st_size, found.st_ctime_ns)
            and (bool(file.refused) or not file.unread_bytes)
        )

    def _lose_id(self, file: Tracked) -> None:
        if self.by_id.get(file.id) is file:
            del self.by_id[file.id]


def in_turn(files: Iterable[Tracked]) -> list[Tracked]:
    """Return files of one stream, oldest first: as their names tell, without one as they were taken up."""
    ordered = sorted(files, key=lambda file: file.place)
    named = {
        file.path: file
        for file in ordered
        if not file.gone_ns and (file.path == file.name or suffixed(file.name, file.path))
    }
    siblings = [Sibling(path, file.id, file.mtime_ns) for path, file in named.items()]
    ranked = iter(in_order(ordered[0].name, siblings))
    return [named[next(ranked).path] if named.get(file.path) is file else file for file in ordered]
