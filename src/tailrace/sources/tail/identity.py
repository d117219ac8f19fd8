"""Tell which file this is, and whether an offset still belongs to its content.

No single mark of a file is right: inode numbers are used again, device numbers change at a reboot,
first lines are equal. So three are compared: the triple of device, inode and birth; the hash of
the head, grown with the file up to `HEAD_BYTES`; and the hash of the last bytes before the offset.
Everything here is a function of what was seen; doubt means read again, never skip.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

HEAD_BYTES: Final = 1024
"""Length of the head that is compared; a shorter file is compared over what it has."""

MARKER_BYTES: Final = 64
"""Length of the tail marker: the bytes just before the offset."""


@dataclass(frozen=True, slots=True)
class FileId:
    """The numbers by which the kernel knows a file; `born_ns` is 0 where the file system does not tell."""

    dev: int
    ino: int
    born_ns: int = 0

    def same(self, other: FileId) -> bool:
        """Tell whether both are one file; an unknown birth is equal to any."""
        return (self.dev, self.ino) == (other.dev, other.ino) and (
            self.born_ns == other.born_ns or 0 in {self.born_ns, other.born_ns}
        )


@dataclass(frozen=True, slots=True)
class Head:
    """Hash over the first `length` bytes; a file that was empty when it was seen has no head."""

    length: int = 0
    hash: str = ""

    def fits(self, start: bytes) -> bool:
        """Tell whether a file that begins with `start` has this head; `start` has min(size, HEAD_BYTES) bytes."""
        return len(start) >= self.length and digest(start[: self.length]) == self.hash


class Verdict(enum.Enum):
    """What a file on the disk is, compared with one that is known."""

    CONTINUE = "continue at the offset"
    MOVED = "the same content in another file: continue at the offset there"
    REWRITTEN = "rewritten in place: a new generation from 0"
    TRUNCATED = "cut short: a new generation from 0"
    OTHER = "another file: read from 0"
    UNREADABLE = "keep the state and try again"


def digest(data: bytes) -> str:
    """Return a short hash; empty for no bytes."""
    return blake2b(data, digest_size=8).hexdigest() if data else ""


def head_of(start: bytes) -> Head:
    """Return the head of a file that begins with `start`; NULs at its end may be room that is written to later."""
    start = start[:HEAD_BYTES].rstrip(b"\x00")
    return Head(len(start), digest(start))


def marker_span(offset: int) -> tuple[int, int]:
    """Return where the marker of an offset begins and how long it is."""
    length = min(offset, MARKER_BYTES)
    return offset - length, length


def judge(
    *,
    same_file: bool,
    head_fits: bool | None,
    marker_fits: bool | None,
    size: int,
    offset: int,
    replaces: bool = False,
    compared: int = MARKER_BYTES,
    related: bool = False,
) -> Verdict:
    """Return what a file is, from the comparison with a known one.

    `head_fits` is None if the file cannot be read. `replaces`: the known file is gone or was cut short while
    this one existed, and nothing else claims its rest. `compared` bytes were equal; fewer than
    `MARKER_BYTES` prove nothing unless the names are `related` by rotation.
    """
    if head_fits is None:
        return Verdict.UNREADABLE
    if same_file:
        if head_fits and size < offset:
            return Verdict.TRUNCATED
        return Verdict.CONTINUE if head_fits and marker_fits else Verdict.REWRITTEN
    proven = head_fits and marker_fits and size >= offset and compared > 0
    return Verdict.MOVED if proven and replaces and (compared >= MARKER_BYTES or related) else Verdict.OTHER
