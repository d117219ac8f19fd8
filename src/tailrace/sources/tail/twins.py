"""Find out of which known file a compressed one has the content, before any of it is read.

Comes in: a compressed file that is new. Goes out: it is the *twin* of a file that is gone, which goes on in it at its
offset; a *copy* of one that is still there and was read as far; or a file of its own, to be read whole. The content is
compared: the head, then the bytes before the offset of the one or at the end of the other. That takes one pass over
the compressed file, in shares; while its original is still read it waits.
"""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.sources.tail import compressed, content
from tailrace.sources.tail.compressed import End, Packed
from tailrace.sources.tail.identity import HEAD_BYTES, MARKER_BYTES, head_of, marker_span
from tailrace.sources.tail.moves import AWAIT_S
from tailrace.sources.tail.rotation import live_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.clock import Clock
    from tailrace.sources.tail.reader import Reader
    from tailrace.sources.tail.roster import Roster
    from tailrace.sources.tail.tracked import Tracked

SHORT_QUIET_S: Final = 10.0
"""A compressed file that is cut short is waited for until it has not grown for this long."""

WAIT_S: Final = 0.5
"""Time between two looks at an original that is still being read."""

_END_BYTES: Final = 64 * limits.KIB


class _Answer(enum.Enum):
    NO = "another file"
    SOON = "to be seen farther on in the compressed file"
    WAIT = "to be seen when the original was read, or the compressed file is complete"
    COPY = "a copy of what was read"
    TWIN = "it carries the original on"


class Twins:
    """The compressed files of one roster that are in question."""

    def __init__(
        self,
        roster: Roster,
        reader: Reader,
        clock: Clock,
        later_copies: Callable[[str, str, int], bool],
        *,
        follow: bool,
    ) -> None:
        self._later_copies = later_copies
        self._roster = roster
        self._reader = reader
        self._clock = clock
        self._follow = follow
        self._suspects: dict[Tracked, list[Tracked]] = {}

    def wait_s(self, file: Tracked) -> float | None:
        """Work on the question; return None if it is answered, else after which time to ask again.

        The file may be no more afterwards: the one that it carries on is ready then.
        """
        if file.no_copy or file.text or self._reader.open(file) is not None:
            return None
        try:
            return self._work(file)
        except OSError:
            return None  # reading it will tell why

    def _work(self, file: Tracked) -> float | None:
        file.packed = file.packed or compressed.codec_of(os.pread(file.handle, HEAD_BYTES, 0))
        if not file.packed:
            return None
        packed = self._reader.unpacker(file)
        if packed is None:
            return 0.0
        suspects = self._suspects.get(file)
        if suspects is None:
            start = packed.pread(HEAD_BYTES, 0)
            if len(start) < HEAD_BYTES and packed.end is End.SHORT and self._grew_lately(file):
                return WAIT_S
            suspects = self._suspects[file] = self._alike(file, start)
        while suspects:
            answer = self._compare(file, packed, suspects[0])
            if answer is _Answer.WAIT and self._waits_for(suspects[0], file):
                answer = _Answer.NO
            if answer is not _Answer.NO:
                return self._act(file, packed, suspects[0], answer)
            suspects.pop(0)
        return self._like_none(file)

    def _like_none(self, file: Tracked) -> float | None:
        """Take a file for one of its own; one that no path asks for is of use only as a part of a stream."""
        self._roster.join(file)
        unread = next((other for other in self._roster.awaited if _may_be_all_of(file, other)), None)
        if unread is not None:
            self._roster.replace(unread, file)
            self._later_copies(file.name, file.path, file.id.born_ns)  # what came after it is of the stream as well
        elif file.only_twin and any(other.name == file.name for other in self._roster.awaited):
            return WAIT_S  # when the twin is found this one may come after it
        del self._suspects[file]
        if unread is None and file.only_twin:
            self._roster.drop(file)
            return 0.0
        file.no_copy = True
        return None

    # --- who it may be --------------------------------------------------------------------------

    def _alike(self, file: Tracked, start: bytes) -> list[Tracked]:
        """Return the files of the same name before rotation that begin like it; those with an unread rest first."""
        names = {file.name, *live_names(file.path)}
        folder = file.path.rpartition("/")[0]

        def of_one_log(other: Tracked) -> bool:
            beside = other.path.rpartition("/")[0] == folder
            return other.name in names or (beside and not names.isdisjoint(live_names(other.path)))

        found = [
            other
            for other in self._roster.files.values()
            if of_one_log(other) and other is not file and not other.refused and _begins(other, start)
        ]
        return sorted(found, key=lambda other: (not (other.gone_ns and other.unread_bytes), -other.offset))

    def _waits_for(self, other: Tracked, file: Tracked) -> bool:
        """Tell whether another file that is there under a younger name waits for this one."""
        return self._roster.by_path.get(other.path) is other and self._roster.before(other) is file

    def _compare(self, file: Tracked, packed: Packed, other: Tracked) -> _Answer:
        if self._roster.files.get(other.key) is not other:
            return _Answer.NO
        if other.handle < 0 and self._roster.by_path.get(other.path) is not other:
            return self._compare_gone(file, packed, other)
        if other.away and not other.finished:
            return _Answer.WAIT
        return self._compare_there(file, packed, other)

    def _compare_gone(self, file: Tracked, packed: Packed, other: Tracked) -> _Answer:
        """Compare with a file that nobody can read any more: the bytes before its offset must be there."""
        at, length = marker_span(other.offset)
        before = packed.pread(length, at)
        if len(before) < length:
            if packed.end is End.WHOLE and packed.known_bytes and other.head.length == HEAD_BYTES:
                return _Answer.COPY  # a program that kept the file open wrote on after it was compressed
            return self._not_reached(file, packed)
        if not other.marker_fits(before):
            return _Answer.NO
        if length < MARKER_BYTES and other not in self._roster.awaited:
            # A header line may begin many files: all must be equal, unless the file went just now.
            if packed.pread(_END_BYTES, 0) and packed.end is End.OPEN:
                return _Answer.NO
            if packed.end is End.WHOLE and packed.known_bytes != max(other.size, other.offset):
                return _Answer.NO
        return _Answer.TWIN

    def _compare_there(self, file: Tracked, packed: Packed, other: Tracked) -> _Answer:
        """Compare with a file that can still be read: a copy is not longer, and its end is in it."""
        packed.pread(_END_BYTES, packed.known_bytes + limits.UNPACK_TURN_BYTES)
        if packed.end is not End.WHOLE:
            return self._not_reached(file, packed)
        total = packed.known_bytes
        at = max(0, total - MARKER_BYTES)
        if total > other.size or packed.pread(MARKER_BYTES, at) != content.span_of(other, at, total - at):
            return _Answer.NO
        if other.offset >= total:
            return _Answer.COPY
        return _Answer.WAIT if self._follow or not other.trouble else _Answer.NO

    def _not_reached(self, file: Tracked, packed: Packed) -> _Answer:
        if packed.end is End.OPEN:
            return _Answer.SOON
        short = packed.end is End.SHORT and self._follow and self._grew_lately(file)
        return _Answer.WAIT if short else _Answer.NO

    def _grew_lately(self, file: Tracked) -> bool:
        return self._clock.monotonic_s() - file.grown_s < SHORT_QUIET_S

    # --- what follows ---------------------------------------------------------------------------

    def _act(self, file: Tracked, packed: Packed, other: Tracked, answer: _Answer) -> float:
        if other.gone_ns and other in self._roster.awaited:
            self._roster.awaited[other] = self._clock.monotonic_s() + AWAIT_S
        if answer is _Answer.WAIT:
            if self._roster.before(other) is file:
                self._roster.step_aside(file)  # the original has no name any more and is read first
            self._reader.close(file)  # others may need the decompressor meanwhile
            return WAIT_S
        if answer is _Answer.COPY:
            self._pass_over(file, packed)
            if other.gone_ns:
                self._later_copies(other.name, file.path, file.id.born_ns)  # they are what came after it
        elif answer is _Answer.TWIN:
            self._carry_on(other, file)
        return 0.0

    def _pass_over(self, file: Tracked, packed: Packed) -> None:
        """Take a copy of what was read as read."""
        del self._suspects[file]
        file.offset = packed.known_bytes
        at, length = marker_span(file.offset)
        file.head, file.before = head_of(packed.pread(HEAD_BYTES, 0)), packed.pread(length, at)
        file.text, file.spent = True, file.size
        self._reader.close(file)
        self._roster.finish(file)

    def _carry_on(self, other: Tracked, file: Tracked) -> None:
        """Go on with the state of a file that is gone in its compressed twin, whose decompressor stands there."""
        del self._suspects[file]
        path, number = file.path, file.id
        lent = self._reader.lend(file)
        newest = self._roster.newest.get(file.name) is file
        self._roster.drop(file)
        if newest:
            self._roster.newest[file.name] = other
        other.mtime_ns = file.mtime_ns
        self._roster.become(other, path, number, now_s=self._clock.monotonic_s())
        other.packed, other.size = file.packed, file.size
        self._reader.take_over(other, *lent)
        self._roster.ready[other] = None
        last = self._roster.newest.get(other.name, other)
        more = self._later_copies(other.name, path, number.born_ns)
        if more and last is not other and last.order == other.order and not last.offset:
            self._roster.put_last(last)  # the live file comes after all copies that were made of it


def _may_be_all_of(file: Tracked, other: Tracked) -> bool:
    """Tell whether a compressed file may have what was in another one, of which nothing at all was read."""
    return other.name == file.name and not other.offset and other.id.born_ns <= file.id.born_ns


def _begins(other: Tracked, start: bytes) -> bool:
    """Tell whether a file begins like `start`; one that was not read yet is looked into."""
    if other.head.length:
        return other.head.fits(start)
    begins = content.start_of(other.path)[: len(start)]
    return bool(begins) and not compressed.codec_of(begins) and start.startswith(begins)
