"""Raw events of fanotify as columns.

Comes in: what one or more reads of a group gave, whole events. Goes out: lists side by side, an entry per event. A file
or folder is named by a key: eight bytes of the file system, then its handle (length, type, data). Records of kinds that
are not known are passed over by their length. Bytes that are no events raise `ValueError` with their place.

An event is a head of 24 bytes, then records: of the object (1), of its folder and its name there (2), of both ends of a
rename (10, 12). An overflow has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import Final

_HEAD: Final = Struct("=IBxHQ4xi")  # length, version, own length, mask, process
_VERSION: Final = 3
_RECORD: Final = Struct("=BxH8xI")  # kind, length, bytes of the handle behind those of the file system
_NAMED: Final = (2, 3, 12)
_BEFORE_DATA: Final = 20
"""Bytes of a record before the data of its handle: kind, length, file system, length and type of the handle."""

SELF: Final = b"."
"""Name of a folder in an event about itself."""


@dataclass(slots=True)
class Records:
    """Events, oldest first, as lists of the same length."""

    masks: list[int] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)
    objects: list[bytes] = field(default_factory=list)  # empty if it has no record
    folders: list[bytes] = field(default_factory=list)  # of the name; of a rename: where it is now; empty if none
    names: list[bytes] = field(default_factory=list)
    old_folders: list[bytes] = field(default_factory=list)  # of a rename
    old_names: list[bytes] = field(default_factory=list)


def parse(data: bytes) -> Records:
    """Return the events of some bytes."""
    found = Records()
    add_mask, add_pid, add_object = found.masks.append, found.pids.append, found.objects.append
    add_folder, add_name = found.folders.append, found.names.append
    add_old_folder, add_old_name = found.old_folders.append, found.old_names.append
    head, record = _HEAD.unpack_from, _RECORD.unpack_from
    place, end, head_bytes, least, before_data = 0, len(data), _HEAD.size, _RECORD.size, _BEFORE_DATA
    while place < end:
        if end - place < head_bytes:
            raise ValueError(f"{end - place} bytes at {place} are no event")
        length, version, head_length, mask, pid = head(data, place)
        if version != _VERSION or head_length < head_bytes or not head_length <= length <= end - place:
            raise ValueError(f"no event of version {_VERSION} at byte {place}")
        at, after = place + head_length, place + length
        thing = folder = name = old_folder = old_name = b""
        while at + least <= after:
            kind, size, handle_bytes = record(data, at)
            if size < 4:  # noqa: PLR2004  the record's own head
                raise ValueError(f"a record of {size} bytes at byte {at}")
            name_at, next_at = at + before_data + handle_bytes, at + size
            if kind == 1:
                thing = data[at + 4 : name_at]
            elif kind in _NAMED:
                folder, name = data[at + 4 : name_at], data[name_at:next_at].rstrip(b"\0")
            elif kind == 10:  # noqa: PLR2004  where a rename began
                old_folder, old_name = data[at + 4 : name_at], data[name_at:next_at].rstrip(b"\0")
            at = next_at
        add_mask(mask)
        add_pid(pid)
        add_object(thing)
        add_folder(folder)
        add_name(name)
        add_old_folder(old_folder)
        add_old_name(old_name)
        place = after
    return found
