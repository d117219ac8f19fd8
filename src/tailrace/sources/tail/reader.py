"""Read the next bytes of one file, after proof that they follow those before.

Holds the open descriptors, at most `limits.OPEN_FILES`: the least recently used file gives its own
back first, but a file whose bytes can only be reached by its descriptor (it has no name any more)
keeps it. A file without a descriptor is opened by its path and must be the same file by its
numbers. Refuses nothing silently: every end of a reading has an `Outcome`.
"""

from __future__ import annotations

import enum
import errno
import os
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from tailrace import limits
from tailrace.contracts import Block
from tailrace.encoding import marked, may_be_marked
from tailrace.sources.tail import compressed, descriptors, filestat, holes, lines, sniff
from tailrace.sources.tail.compressed import End, Packed
from tailrace.sources.tail.identity import HEAD_BYTES, marker_span
from tailrace.sources.tail.places import is_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tailrace.sources.tail.filestat import FileStat
    from tailrace.sources.tail.tracked import Tracked

_LARGE_BYTES: Final = 256 * limits.KIB
_PROBE_BYTES: Final = 64 * limits.KIB
_UNPACK_BYTES: Final = 4 * limits.MIB
_UNDECIDED: Final = {End.OPEN, End.SHORT}
_SHORT: Final = "compressed, and cut short or still being written; it is read on when it grows"
_SPARE: Final = 512  # more than any delimiter and character have: a line of the limit can be told from a longer one


class Outcome(enum.Enum):
    """How a reading ended."""

    MORE = "there is more to read"
    END = "everything is read, or only an unfinished line is left"
    CHANGED = "the content before the offset is not what it was"
    ABSENT = "the path has no file, or another one"
    TROUBLE = "it cannot be read at the moment"
    REFUSED = "it is not text"
    LATER = "it is compressed, and its turn did not come yet"
    SHORT = "it is compressed, and cut short or still being written"


@dataclass(slots=True)
class Reading:
    """Blocks in order, and how it ended.

    `grown`: the file was larger than before. `moved`: its state in the checkpoint is another one.
    """

    outcome: Outcome
    blocks: list[Block] = field(default_factory=list)
    grown: bool = False
    moved: bool = False


class Reader:
    """The open files of one source."""

    def __init__(self, max_line_bytes: int, open_files: int | None = None) -> None:
        self.nul_bytes_skipped = 0
        self.damaged_bytes = 0  # of compressed files, on the disk: they cannot be decompressed
        self._unpacking: dict[str, Tracked] = {}
        self._max_line = max_line_bytes
        self._limit = open_files or descriptors.fair_share()
        self._open: OrderedDict[str, Tracked] = OrderedDict()  # least recently used first

    def read(self, file: Tracked, size: int, now_ns: int, *, final: bool, flush: bool = False) -> Reading:
        """Read about `size` bytes on from the offset.

        With `final` an unfinished last line is handed out too, with `flush` as a part that its rest is linked to.
        """
        problem = self.open(file)
        if problem is not None:
            return Reading(problem)
        try:
            return self._read(file, size, now_ns, final=final, flush=flush)
        except OSError as error:
            file.trouble = error.strerror or str(error)
            if file.unlinked_ns is None and is_at(file.path, file.id):
                self.close(file)  # opened again, it may be readable; but one without a name could not be opened
            return Reading(Outcome.TROUBLE)

    def open(self, file: Tracked) -> Outcome | None:
        """Make sure that the file is open; returns what stands against it."""
        if file.handle >= 0:
            self._open.move_to_end(file.key)
            return None
        try:
            handle = self._handle(file.path)
        except (FileNotFoundError, NotADirectoryError):
            return Outcome.ABSENT
        except OSError as error:
            file.trouble = error.strerror or str(error)
            return Outcome.TROUBLE
        try:
            found = filestat.look(handle)
            same = found.regular and file.id.same(filestat.file_id(handle, found))
        except OSError as error:
            file.trouble = error.strerror or str(error)
            descriptors.close_file(handle)
            return Outcome.TROUBLE
        if not same:
            descriptors.close_file(handle)
            return Outcome.ABSENT
        file.handle, file.trouble = handle, ""
        self._shrink(self._limit - 1)
        self._open[file.key] = file
        return None

    def unlike(self, file: Tracked) -> bool:
        """Tell whether a plain file that waits for its turn has lost what it began with; remembers how it begins.

        A file that is cut short before its first byte was read is known again by this alone.
        """
        if file.packed or self.open(file) is not None:
            return False
        try:
            found, start = filestat.look(file.handle), os.pread(file.handle, HEAD_BYTES, 0)
        except OSError:
            return False  # reading it will tell why
        if not file.head.fits(start) or found.size < file.offset:
            return True
        if not compressed.codec_of(start):
            file.grow_head(start)
            file.size = file.proven = max(file.size, found.size)
        return False

    def adopt(self, old: Reader, files: Mapping[str, Tracked]) -> None:
        """Take over what another reader has open of the same files: one without a name exists only there."""
        self.nul_bytes_skipped += old.nul_bytes_skipped
        for theirs in list(old._open.values()):
            file = files.get(theirs.key)
            if file is None or file.handle >= 0 or theirs.packed:
                continue
            del old._open[theirs.key]
            file.handle, theirs.handle = theirs.handle, -1
            file.grown_s, file.unlinked_ns = theirs.grown_s, theirs.unlinked_ns
            file.size, file.ctime_ns, file.mtime_ns = theirs.size, theirs.ctime_ns, theirs.mtime_ns
            self._open[file.key] = file

    def close(self, file: Tracked) -> None:
        """Give the descriptor of a file back, if it has one."""
        if file.handle >= 0:
            del self._open[file.key]
            descriptors.close_file(file.handle)
            file.handle = -1
            file.content = None
            self._unpacking.pop(file.key, None)
            file.rest()

    def close_idle(self, grown_before_s: float) -> list[Tracked]:
        """Close files that are read and have not grown since; returns those that have no name any more."""
        idle = [f for f in self._open.values() if f.grown_s < grown_before_s and (f.waiting_bytes == 0 or f.finished)]
        for file in idle:
            self.close(file)
        return [file for file in idle if file.unlinked_ns is not None]

    def unpacker(self, file: Tracked) -> Packed | None:
        """Return the decompressor of a file, None while others have all that there may be."""
        if file.content is None:
            if len(self._unpacking) >= limits.UNPACK_FILES:
                waits = next((other for other in self._unpacking.values() if other.trouble), None)
                if waits is None:
                    return None
                waits.content = None
                del self._unpacking[waits.key]
            file.content = Packed(file.handle, file.packed)
            self._unpacking[file.key] = file
        return file.content

    def lend(self, file: Tracked) -> tuple[int, Packed | None]:
        """Give descriptor and decompressor of a file away, to `take_over`."""
        handle, content = file.handle, file.content
        self._open.pop(file.key, None)
        self._unpacking.pop(file.key, None)
        file.handle, file.content = -1, None
        return handle, content

    def take_over(self, file: Tracked, handle: int, content: Packed | None) -> None:
        """Go on with another file's descriptor and decompressor."""
        file.handle, file.content = handle, content
        self._open[file.key] = file
        if content is not None:
            self._unpacking[file.key] = file

    def overdue(self, unlinked_before_ns: int) -> list[Tracked]:
        """Return the files without a name that keep room on the disk: for too long, or the oldest if it is too much."""
        pinned = sorted((f for f in self._open.values() if f.unlinked_ns is not None), key=lambda f: f.unlinked_ns or 0)
        surplus = sum(file.size for file in pinned) - limits.UNLINKED_BYTES
        found: list[Tracked] = []
        for file in pinned:
            if surplus > 0 or (file.unlinked_ns or 0) < unlinked_before_ns:
                found.append(file)
                surplus -= file.size
        return found

    def open_files(self) -> int:
        """Return the number of descriptors held."""
        return len(self._open)

    def nameless(self) -> list[Tracked]:
        """Return the open files whose name is no longer their own; no event tells about them."""
        return [file for file in self._open.values() if file.away]

    def close_all(self) -> None:
        """Give back every descriptor."""
        for file in list(self._open.values()):
            self.close(file)

    # --- one file -------------------------------------------------------------------------------

    def _read(self, file: Tracked, size: int, now_ns: int, *, final: bool, flush: bool) -> Reading:
        found = filestat.look(file.handle)
        file.trouble = file.trouble if file.packed else ""
        if file.packed or file.spent == found.size:
            return self._read_packed(file, size, now_ns, found)
        data = self._data(file, size, found.size)
        # The proof is read after the data: content that was replaced before the data was read shows in it.
        start = os.pread(file.handle, HEAD_BYTES, 0)
        at, length = marker_span(file.offset)
        if not file.still_has(start, os.pread(file.handle, length, at) if length else b"", found.size):
            return Reading(Outcome.CHANGED)
        file.packed = "" if file.text else compressed.codec_of(start)
        if file.packed:
            return Reading(Outcome.LATER)  # what it is has to be found out before it is read
        grown = found.size > file.size
        grown_head = file.grow_head(start)
        file.saw(found)
        read_to, offset = file.offset + len(data), file.offset
        outcome = Outcome.MORE if read_to < found.size else Outcome.END
        final = final and outcome is Outcome.END
        if not file.text and may_be_marked(start) and not final:
            return Reading(outcome, [], grown, grown_head)
        if start and not file.text and not self._begin(file, _sample(file, start, data)):
            return Reading(Outcome.REFUSED)
        data, ends = self._past_hole(file, _past_mark(file, data), found.size, final=final)
        flush = flush and outcome is Outcome.END
        blocks = self._hand_out(file, data, now_ns, final=ends, flush=flush)
        if ends and not final:
            outcome = Outcome.MORE
        return Reading(outcome, blocks, grown, moved=grown_head or file.offset != offset)

    def _read_packed(self, file: Tracked, size: int, now_ns: int, found: FileStat) -> Reading:
        """Read the content of a compressed file; its offset, head and marker are those of the content."""
        grown = found.size > file.size
        file.saw(found)
        if file.spent == found.size:
            return Reading(Outcome.END, grown=grown)
        content = self.unpacker(file)
        if content is None:
            return Reading(Outcome.LATER, grown=grown)
        data = content.pread(min(max(size, self._max_line + _SPARE), _UNPACK_BYTES), file.offset)
        if not data and content.end in _UNDECIDED and content.known_bytes <= file.offset:
            far = content.end is End.OPEN
            if not far:
                file.trouble = _SHORT
            return Reading(Outcome.LATER if far else Outcome.SHORT, grown=grown)
        start = content.pread(HEAD_BYTES, 0)
        at, length = marker_span(file.offset)
        lost = content.end is End.DAMAGED and content.known_bytes < file.offset  # nothing stands against the offset
        if not lost and not file.still_has(start, content.pread(length, at) if length else b"", content.known_bytes):
            return Reading(Outcome.CHANGED)
        grown_head = file.grow_head(start)
        if start and not file.text and not self._begin(file, start):
            return Reading(Outcome.REFUSED)
        return self._unpacked(file, content, data, now_ns, found.size, Reading(Outcome.MORE, [], grown, grown_head))

    def _unpacked(self, file: Tracked, content: Packed, data: bytes, now_ns: int, size: int, made: Reading) -> Reading:
        """Hand out what was decompressed; the last line needs no newline when the content is complete."""
        ended = content.end in {End.WHOLE, End.DAMAGED}
        made.blocks = self._hand_out(file, _past_mark(file, data), now_ns, final=ended)
        made.moved |= bool(made.blocks)
        if content.end is End.OPEN:
            return made
        file.trouble = ""
        if content.end is End.SHORT:
            made.outcome, file.trouble = Outcome.SHORT, _SHORT
            return made
        if content.end is End.DAMAGED:
            self.damaged_bytes += content.raw_bytes_left(size)
            file.trouble = f"compressed ({file.packed}), damaged after {file.offset} bytes of content: {content.why}"
        made.outcome, made.moved, file.spent = Outcome.END, True, size
        return made

    def _data(self, file: Tracked, size: int, end: int) -> bytes:
        """Return bytes on from the offset; many of them end with a line, since to cut them off later costs a copy."""
        wanted = min(max(size, self._max_line + _SPARE), end - file.offset)
        if wanted > _LARGE_BYTES:
            at = file.offset + wanted - _PROBE_BYTES
            probe = os.pread(file.handle, _PROBE_BYTES, at)
            behind = file.origin.encoding.last_end(probe, 0, len(probe), at)
            if behind >= 0 and wanted - _PROBE_BYTES + behind > self._max_line + _SPARE:
                wanted -= _PROBE_BYTES - behind
        return os.pread(file.handle, wanted, file.offset) if wanted > 0 else b""

    def _begin(self, file: Tracked, start: bytes) -> bool:
        """Look at the first bytes of a file; tells whether it is text."""
        file.text = True
        found = sniff.encoding_at(start, file.origin.encoding)
        if found != file.origin.encoding:
            file.codec, file.origin = found.codec, replace(file.origin, encoding=found)
        # A file that was text is so still: after a cut it may begin with anything.
        file.refused = "" if file.generation else sniff.refuse_head(start, found)
        return not file.refused

    def _hand_out(self, file: Tracked, data: bytes, now_ns: int, *, final: bool, flush: bool = False) -> list[Block]:
        made = lines.cut(
            data,
            parts=file.parts,
            max_line=self._max_line,
            final=final,
            flush=flush,
            offset=file.offset,
            encoding=file.origin.encoding,
        )
        blocks: list[Block] = []
        for span in made.spans:
            piece = data if span.end - span.start == len(data) else data[span.start : span.end]
            blocks.append(Block(file.origin, file.offset + span.start, piece, now_ns, span.part, span.last))
        if made.used:
            for block in blocks:
                file.advance(block.data, made.parts)
        return blocks

    def _past_hole(self, file: Tracked, data: bytes, size: int, *, final: bool) -> tuple[bytes, bool]:
        """Skip a hole at the offset, and stop before the next; tells whether a line can end there without a newline.

        A hole up to the end of the file is only skipped when nothing more will come.
        """
        at = -1 if file.parts else holes.find(file.handle, data, file.offset, cut_short=file.generation > 0)
        if at:
            return (data, final) if at < 0 else (data[:at], True)
        skipped = len(data) - len(data.lstrip(holes.NUL))
        if skipped == len(data):
            skipped = holes.end(file.handle, file.offset + skipped, size) - file.offset
            if file.offset + skipped == size and not final:
                return b"", False
        skipped -= skipped % file.origin.encoding.unit  # half of the first character may be a NUL
        file.skip_nuls(skipped)
        self.nul_bytes_skipped += skipped
        return data[skipped:], final

    # --- descriptors ----------------------------------------------------------------------------

    def _handle(self, path: str) -> int:
        try:
            return descriptors.open_file(path)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE} or not self._open:
                raise
        self._shrink(len(self._open) // 2)
        return descriptors.open_file(path)

    def _shrink(self, limit: int) -> None:
        surplus = len(self._open) - limit
        if surplus > 0:
            reachable = (file for file in self._open.values() if file.content is None and _has_name(file))
            for file in list(islice(reachable, surplus)):
                self.close(file)


def _sample(file: Tracked, start: bytes, data: bytes) -> bytes:
    """Return what the first bytes of a file are apart from holes."""
    at = holes.find(file.handle, data, file.offset, cut_short=False) if holes.NUL in start else -1
    if at < 0:
        return start
    return data[:at] or data.lstrip(holes.NUL)[:HEAD_BYTES] or start


def _past_mark(file: Tracked, data: bytes) -> bytes:
    """Skip a byte-order mark at the start of a file: it is no text."""
    codec = file.origin.encoding.codec
    found = None if file.offset else marked(data, codec)
    if found is None or found[0] != codec:
        return data
    file.advance(data[: found[1]], 0)
    return data[found[1] :]


def _has_name(file: Tracked) -> bool:
    """Tell whether a file can be opened again, also when nobody has looked at its folder since it was deleted."""
    try:
        return file.unlinked_ns is None and filestat.look(file.handle).links > 0
    except OSError:
        return False  # not seen is not there
