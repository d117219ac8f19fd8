"""One file that is followed: which file it is, how far it is read, and its form in the checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from tailrace.sources.tail.identity import MARKER_BYTES, FileId, Head, Verdict, digest, head_of, judge, marker_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from tailrace.contracts import Origin
    from tailrace.sources.tail.compressed import Packed
    from tailrace.sources.tail.filestat import FileStat

PARKED: Final = "parked"
"""Key of a state whose file is not read, since the settings do not ask for it any more."""

AWAY_QUIET_S = 2.0
"""A file that was rotated away is finished when it has not grown for this long."""

_PLAIN_FIELDS: Final = 13  # of the state of a file with nothing uncommon about it


@dataclass(slots=True, eq=False)
class Tracked:
    """State of one file; `key` names it for ever, `name` is its stream, `path` is where it is now."""

    key: str
    name: str
    path: str
    id: FileId
    generation: int
    order: int  # generations of one file share it
    maker: Callable[[Tracked], Origin]
    made: Origin | None = None  # where its blocks come from, while it is read
    head: Head = field(default_factory=Head)
    offset: int = 0
    parts: int = 0  # parts of the line at the offset that are out already
    marker: str = ""  # hash of the bytes before the offset
    before: bytes | None = b""  # those bytes; None while only their hash is known
    size: int = 0  # when it was seen last
    seen_empty: bool = True  # nothing was in it when it was seen first: it may have been cut short before
    proven: int = 0  # its size when its content was last seen to be what it was
    ctime_ns: int = 0
    mtime_ns: int = 0
    real: str = ""  # its path without links, if that is another one
    handle: int = -1
    packed: str = ""  # by what it is compressed; offset, head and marker are those of its content
    content: Packed | None = None  # its decompressor, while it is read
    spent: int = -1  # its size on the disk when all of its content had been read, if it is compressed
    text: bool = False  # its head was looked at
    codec: str = ""  # that its byte-order mark told
    refused: str = ""  # why it is not read
    trouble: str = ""  # why it cannot be read at the moment
    away: bool = False  # its name is no longer its own: rotated, deleted or gone
    finished: bool = False  # away and read to its end
    unlinked_ns: int | None = None  # when its last name was removed, if that was seen
    gone_ns: int = 0  # when it was found nowhere
    given_up: int = 0  # bytes of it that were counted as lost
    grown_s: float = 0.0  # when it was last seen growing or changing its name
    only_twin: bool = False  # it is followed only if it carries another file on
    noted: bool = False  # a copy of the log that is still there, which no path asks for
    no_copy: bool = False  # it was compared with the file that it seemed to be a copy of
    original: Tracked | None = None  # the file that it seems to be a copy of; not read until that is clear

    @property
    def origin(self) -> Origin:
        """Where its blocks come from."""
        if self.made is None:
            self.made = self.maker(self)
        return self.made

    @origin.setter
    def origin(self, origin: Origin) -> None:
        self.made = origin

    def rest(self) -> None:
        """Let go what is only needed while it is read: ten thousand files may be idle."""
        self.made = None
        if self.before is not None:
            self.marker, self.before = digest(self.before), None if self.before else b""

    @property
    def place(self) -> tuple[int, int]:
        """Its place in its stream: files with a smaller one come first."""
        return self.order, self.generation

    @property
    def waiting_bytes(self) -> int:
        """The bytes that are known and not handed out; of a compressed file, those on the disk."""
        return 0 if self.refused or (self.gone_ns and self.handle < 0) else self.unread_bytes

    @property
    def unread_bytes(self) -> int:
        """The bytes after the offset, whether somebody can read them or not."""
        if self.spent == self.size:
            return 0
        return self.size if self.packed else max(0, self.size - self.offset)

    @property
    def lost_bytes(self) -> int:
        """The bytes after the offset that were there for sure, if nobody can read them any more.

        Of a file that could not be read all that was seen counts.
        """
        return self.unread_bytes if self.packed or self.trouble else max(0, self.proven - self.offset)

    def marker_fits(self, found: bytes) -> bool:
        """Tell whether `found`, read from `marker_span(offset)`, are the bytes that were there; remembers them."""
        if self.before is None:
            if digest(found) != self.marker:
                return False
            self.before = found
        return found == self.before

    def still_has(self, start: bytes, before: bytes, size: int) -> bool:
        """Tell whether the content that was read is there, from its first bytes and those before the offset."""
        verdict = judge(
            same_file=True,
            head_fits=self.head.fits(start),
            marker_fits=self.marker_fits(before),
            size=size,
            offset=self.offset,
        )
        return verdict is Verdict.CONTINUE

    def grow_head(self, start: bytes) -> bool:
        """Know the file by more of its first bytes; tells whether there were more."""
        before = self.head.length
        if len(start) > before:
            self.head = head_of(start)
        return self.head.length != before

    def saw(self, found: FileStat) -> None:
        """Note how the open file looks whose content is proven."""
        self.size, self.ctime_ns, self.mtime_ns = found.size, found.ctime_ns, found.mtime_ns
        self.proven = found.size
        if not found.links and self.unlinked_ns is None:
            self.unlinked_ns = found.ctime_ns

    def advance(self, data: bytes, parts: int) -> None:
        """Move the offset over `data`."""
        length = marker_span(self.offset + len(data))[1]
        before = data[-length:] if len(data) >= length else (self.before or b"") + data
        self.before = before[-length:]
        self.offset += len(data)
        self.parts = parts

    def skip_nuls(self, length: int) -> None:
        """Move the offset over NULs that are no data."""
        kept = b"" if length >= MARKER_BYTES else self.before or b""
        self.before = (kept + bytes(min(length, MARKER_BYTES)))[-marker_span(self.offset + length)[1] :]
        self.offset += length
        self.parts = 0

    def state(self) -> dict[str, object]:
        """Return what the checkpoint keeps."""
        state: dict[str, object] = {
            "path": self.path,
            "name": self.name,
            "dev": self.id.dev,
            "ino": self.id.ino,
            "born": self.id.born_ns,
            "generation": self.generation,
            "order": self.order,
            "head_len": self.head.length,
            "head": self.head.hash,
            "offset": self.offset,
            "marker": self.marker if self.before is None else digest(self.before),
            "size": self.size,
            "ctime": self.ctime_ns,
        }
        optional: dict[str, object] = {
            "part": self.parts,
            "codec": self.codec,
            "away": self.away,
            "finished": self.finished,
            "gone": self.gone_ns,
            "packed": self.packed,
            "spent": self.spent + 1,
        }
        return state | {name: value for name, value in optional.items() if value}

    @classmethod
    def of(cls, key: str, state: object, maker: Callable[[Tracked], Origin]) -> Tracked:
        """Return a file as `state` tells; raises `KeyError`, `TypeError` or `ValueError` if it does not."""
        fields = cast("dict[str, Any]", state)  # JSON of our own making; a foreign one fails in the next lines
        name, path = str(fields["name"]), str(fields["path"])
        file = cls(
            key=key,
            name=name,
            path=name if name == path else path,
            id=FileId(int(fields["dev"]), int(fields["ino"]), int(fields["born"])),
            generation=int(fields["generation"]),
            order=int(fields["order"]),
            maker=maker,
            head=Head(int(fields["head_len"]), str(fields["head"])),
            offset=int(fields["offset"]),
            marker=str(fields["marker"]),
            before=None if fields["marker"] else b"",
            size=int(fields["size"]),
            proven=int(fields["size"]),
            ctime_ns=int(fields.get("ctime", 0)),
            text=int(fields["offset"]) > 0,
        )
        if len(fields) > _PLAIN_FIELDS:
            file.parts = int(fields.get("part", 0))
            file.away, file.finished = bool(fields.get("away", False)), bool(fields.get("finished", False))
            file.gone_ns = int(fields.get("gone", 0))
            file.packed, file.spent = str(fields.get("packed", "")), int(fields.get("spent", 0)) - 1
            file.codec = str(fields.get("codec", ""))
        return file
