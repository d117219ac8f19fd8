"""The bytes of the checkpoint's log: JSON records, each with its length and checksum.

One record is `length (u32 LE) · CRC-32 of the payload (u32 LE) · payload (JSON, ASCII)`. Reading
stops at the first record that is not whole and right, and tells how many bytes were good; what
follows cannot be trusted, since nothing says where the next record would begin.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD: Final = struct.Struct("<II")
_RECORD_BYTES: Final = 1 << 30  # a larger length is garbage, not a record

Record = dict[str, object]


@dataclass(frozen=True, slots=True)
class Decoded:
    """The records of the good prefix, where each ends, and whether what follows is only a torn end."""

    records: tuple[Record, ...]
    ends: tuple[int, ...]
    torn: bool

    @property
    def good_bytes(self) -> int:
        """Length of the good prefix."""
        return self.ends[-1] if self.ends else 0


def encode(record: Mapping[str, object]) -> bytes:
    """Return the bytes of one record."""
    payload = json.dumps(record, separators=(",", ":")).encode("ascii")
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def decode(data: bytes) -> Decoded:
    """Return the records up to the first that is not whole and right.

    `torn` is True if the rest is shorter than its own head says, as an interrupted write leaves it.
    """
    records: list[Record] = []
    ends: list[int] = []
    good = 0
    while good + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, good)
        payload = data[good + _HEAD.size : good + _HEAD.size + length]
        if len(payload) < length <= _RECORD_BYTES or (not length and not any(data[good:])):
            break  # a write that never ended, or blocks that a power cut left empty
        whole = len(payload) == length and zlib.crc32(payload) == checksum
        record = _record(payload) if whole else None
        if record is None:
            return Decoded(tuple(records), tuple(ends), torn=False)
        records.append(record)
        good += _HEAD.size + length
        ends.append(good)
    return Decoded(tuple(records), tuple(ends), torn=True)


def _record(payload: bytes) -> Record | None:
    try:
        record = json.loads(payload)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
