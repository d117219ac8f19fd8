"""Fields of protobuf messages, written by hand: for messages so few and plain that they need no library.

Comes in: the number of a field and its value. Goes out: bytes, to be joined in the order of the fields.

>>> (whole(1, 150) + text(2, "testing")).hex()
'089601120774657374696e67'
"""

from __future__ import annotations

import struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2  # wire types


def whole(number: int, value: int) -> bytes:
    """Return a field of type int64, uint64 or enum."""
    return varint(number << 3 | _VARINT) + varint(value & (1 << 64) - 1)


def double(number: int, value: float) -> bytes:
    """Return a field of type double."""
    return varint(number << 3 | _FIXED64) + struct.pack("<d", value)


def text(number: int, value: str) -> bytes:
    """Return a field of type string; what is not UTF-8 is written as an escape."""
    return message(number, value.encode("utf-8", "backslashreplace"))


def message(number: int, content: bytes) -> bytes:
    """Return a field that holds a message, bytes, or packed numbers."""
    return varint(number << 3 | _BYTES) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Return a whole number from 0 on in groups of seven bits.

    >>> varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """Return a signed number as one from 0 on, small if it is near 0: for a `whole` of type sint.

    >>> zigzag(-1), zigzag(1)
    (1, 2)
    """
    return value * 2 if value >= 0 else -value * 2 - 1
