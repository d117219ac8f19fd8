"""How many bytes each column takes in Parquet files, read from their footers.

A footer is one Thrift structure in the compact protocol; this reads just that much of it. Field numbers are those of
`parquet.thrift` of the Apache Parquet format. Data comes from our own table: damage raises.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ROW_GROUPS: Final = 4  # FileMetaData.row_groups
_COLUMNS: Final = 1  # RowGroup.columns
_META: Final = 3  # ColumnChunk.meta_data
_PATH: Final = 3  # ColumnMetaData.path_in_schema
_COMPRESSED: Final = 7  # ColumnMetaData.total_compressed_size


def column_bytes(paths: Iterable[Path]) -> Counter[str]:
    """Return the compressed bytes of each column over all files; `""` stands for what is no column, such as footers."""
    sizes: Counter[str] = Counter()
    for path in paths:
        total = path.stat().st_size
        for group in _Thrift(_footer(path)).struct()[_ROW_GROUPS]:
            for chunk in group[_COLUMNS]:
                meta = chunk[_META]
                sizes[".".join(part.decode() for part in meta[_PATH])] += meta[_COMPRESSED]
                total -= meta[_COMPRESSED]
        sizes[""] += total
    return sizes


def _footer(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, 2)
        return file.read(length)


class _Thrift:
    """Reads the compact protocol into dictionaries by field number, lists, integers and bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> dict[int, Any]:  # a value's type is the field's, known to who asks
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15)
        return fields

    def _value(self, kind: int) -> Any:  # as above
        match kind:
            case 1 | 2:
                value: Any = kind == 1
            case 3:
                value = self._byte()
            case 4 | 5 | 6:
                value = self._zigzag()
            case 7:
                value = self._take(8)
            case 8:
                value = self._take(self._varint())
            case 9 | 10:
                head = self._byte()
                count = head >> 4 if head >> 4 < 15 else self._varint()
                value = [self._element(head & 15) for _ in range(count)]
            case 12:
                value = self.struct()
            case _:
                raise ValueError(f"a Thrift value of type {kind} at byte {self._at}")
        return value

    def _element(self, kind: int) -> Any:  # as above
        return self._byte() == 1 if kind in {1, 2} else self._value(kind)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
