"""Read the footer of a Parquet file: how many bytes each column takes, and how it is encoded.

The footer is a Thrift structure in the compact protocol, and Polars does not show it; the few lines
here decode the protocol into field numbers and values and pick out the columns. Source: the Parquet
format's `parquet.thrift` and Thrift's `thrift-compact-protocol.md`. A file that is not Parquet is a `ValueError`.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import IO

MAGIC: Final = b"PAR1"


class Openable(Protocol):
    """A file that can be read at any position; `Path` is one."""

    def open(self, mode: Literal["rb"], /) -> AbstractContextManager[IO[bytes]]:
        """Open it."""
        ...


_ENCODINGS: Final = {
    0: "plain",
    2: "plain dictionary",
    3: "rle",
    4: "bit packed",
    5: "delta binary packed",
    6: "delta length",
    7: "delta bytes",
    8: "rle dictionary",
    9: "byte stream split",
}

_TRUE, _FALSE, _I8, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)  # Thrift's type codes
_LONG_LIST: Final = 15  # a list of this many elements or more states its length apart
_MORE: Final = 0x80  # bit of a varint's byte that another one follows

Structure = dict[int, Any]  # field number to value, as Thrift defines it


@dataclass(slots=True)
class ColumnSize:
    """What one column takes in a file."""

    compressed_bytes: int = 0
    uncompressed_bytes: int = 0
    encodings: set[str] = field(default_factory=set)


def rows(file: Openable) -> int:
    """Return the number of rows that a file's footer states."""
    return int(_footer(file)[3])


def columns(file: Openable) -> dict[str, ColumnSize]:
    """Return the size of each column of a file, in the order of the file."""
    sizes: dict[str, ColumnSize] = {}
    for group in _footer(file)[4]:
        for chunk in group[1]:
            found = chunk[3]
            size = sizes.setdefault(b".".join(found[3]).decode(), ColumnSize())
            size.compressed_bytes += found[7]
            size.uncompressed_bytes += found[6]
            size.encodings |= {_ENCODINGS.get(number, str(number)) for number in found[2]}
    return sizes


def _footer(file: Openable) -> Structure:
    with file.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        if end < len(MAGIC) * 2 + 4:
            raise ValueError(f"{file}: too short for a Parquet file")
        stream.seek(end - 8)
        size, magic = struct.unpack("<I4s", stream.read(8))
        if magic != MAGIC or size + 12 > end:
            raise ValueError(f"{file}: not a whole Parquet file")
        stream.seek(end - 8 - size)
        return _Compact(stream.read(size)).structure()


class _Compact:
    """A reader of Thrift's compact protocol over some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def structure(self) -> Structure:
        found: Structure = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 0x0F
            number = number + step if step else self._zigzag()
            found[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind)
        return found

    def _value(self, kind: int) -> object:
        if kind in (_TRUE, _FALSE, _I8):
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._zigzag()
        if kind == _DOUBLE:
            return self._take(8)
        if kind == _BINARY:
            return self._take(self._varint())
        if kind in (_LIST, _SET):
            return self._list()
        if kind == _STRUCT:
            return self.structure()
        raise ValueError(f"unknown type {kind} in a Parquet footer")

    def _list(self) -> list[object]:
        head = self._byte()
        size = head >> 4
        if size == _LONG_LIST:
            size = self._varint()
        return [self._value(head & 0x0F) for _ in range(size)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & ~_MORE) << shift
            if byte < _MORE:
                return result
            shift += 7

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
