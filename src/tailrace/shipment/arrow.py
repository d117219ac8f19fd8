"""Rows as an Arrow IPC stream, and the reading of such a stream from somebody who may mean harm.

`pack` is one call of Polars. `unpack` first walks over the stream without unpacking anything (`survey`): the messages,
the fields of the schema, and for each buffer the length that it says to have when it is expanded. What would take more
room than allowed, is nested, or needs dictionaries is refused before a library sees it. Then Polars reads it, and the
columns must be those of the envelope, or fields, with the types that these have.

The layout is that of Arrow's `Message.fbs` and `Schema.fbs`, version 1.0; only what is needed of FlatBuffers is read.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace import limits
from tailrace.batch import ENVELOPE, FIELD_TYPES, is_field, stream_labels, stream_text
from tailrace.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS: Final = 8_192
"""Columns of one batch: the table keeps 512 fields of their own, the rest goes to one column."""

ROWS: Final = 4_000_000
"""Rows of one batch, many times what an agent gathers: it bounds columns that take no room in the stream."""

PIECES: Final = 4_096
"""Record batches of one stream."""

_CONTINUES: Final = 0xFFFF_FFFF
_SCHEMA, _RECORDS = 1, 3  # kinds of messages
_PLAIN: Final = {2, 3, 4, 5, 6, 8, 10, 19, 20, 23, 24}  # types: numbers, texts, bytes, truth, dates, times
_NAME_BYTES: Final = 4 * limits.FIELD_NAME_BYTES
_NEEDED: Final = ("_time_ns", "_observed_ns", "_stream", "_line")
_TYPES: Final = set(FIELD_TYPES.values())


@dataclass(frozen=True, slots=True)
class Contents:
    """What a stream holds, by its own words: rows, columns, and bytes once it is expanded."""

    rows: int
    columns: int
    bytes: int


def pack(frame: pl.DataFrame) -> bytes:
    """Return the rows as one stream, compressed by zstd inside: measured half the work of compressing it as a whole."""
    written = io.BytesIO()
    frame.rechunk().write_ipc_stream(written, compression="zstd")
    return written.getvalue()


def unpack(body: bytes, most_bytes: int) -> pl.DataFrame:
    """Return the rows of a stream; `DataError` for anything that an agent would not send."""
    survey(body, most_bytes)
    try:
        frame = pl.read_ipc_stream(body)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001  a panic of the library is no `Exception`
        raise DataError(f"the body cannot be read as an Arrow stream: {str(error)[:200]}") from None
    _check(frame)
    return frame


def survey(body: bytes, most_bytes: int) -> Contents:
    """Return what a stream holds; `DataError` if it is no such stream or more than is allowed."""
    try:
        return _survey(memoryview(body), most_bytes)
    except (struct.error, IndexError, ValueError, OverflowError):
        raise DataError("the body is no whole Arrow stream") from None


def _survey(body: memoryview, most_bytes: int) -> Contents:
    rows = columns = size = pieces = 0
    for kind, table, buffers in _messages(body):
        if kind == _SCHEMA and not columns:
            columns = _columns(table)
        elif kind == _RECORDS and columns:
            pieces += 1
            rows += _rows(table, columns)
            size += _expanded(table, buffers)
        else:
            raise DataError("the Arrow stream has dictionaries, or messages that no agent sends")
        if rows > ROWS or pieces > PIECES:
            raise DataError(f"the batch has more than {ROWS} rows or {PIECES} pieces")
        if size > most_bytes:
            raise DataError(f"the batch is larger than {most_bytes} bytes once it is expanded")
    if not columns:
        raise DataError("the body is no Arrow stream")
    return Contents(rows, columns, size)


def _messages(body: memoryview) -> Iterator[tuple[int, _Table, memoryview]]:
    """Yield kind, header and buffers of each message; one without a marked end was cut short."""
    at = 0
    while True:
        mark, length = struct.unpack_from("<II", body, at)
        if mark != _CONTINUES:
            raise DataError("the body is no Arrow stream")
        if not length:
            if at + 8 != len(body):
                raise DataError("something stands behind the Arrow stream")
            return
        message = _Table.root(body[at + 8 : at + 8 + length])
        at += 8 + length
        size = message.number(3, "<q")
        if size < 0 or at + size > len(body):
            raise DataError("the Arrow stream ends too early")
        header = message.table(2)
        if header is None:
            raise DataError("the Arrow stream has a message without a header")
        yield message.number(1, "<B"), header, body[at : at + size]
        at += size


def _columns(schema: _Table) -> int:
    """Check the fields of a schema and return how many there are."""
    found = schema.tables(1, COLUMNS)
    names = set()
    for one in found:
        if one.number(2, "<B") not in _PLAIN or one.tables(5, 0) or one.table(4) is not None:
            raise DataError("a column of the batch is nested or of a type that lines do not have")
        names.add(one.text(0, _NAME_BYTES))
    if len(names) != len(found) or not found:
        raise DataError("two columns of the batch have one name, or there is none")
    return len(found)


def _rows(records: _Table, columns: int) -> int:
    """Return the rows of a piece; each of its columns must have as many."""
    rows = records.number(0, "<q")
    lengths = [length for length, _ in records.pairs(1, columns)]
    if rows < 0 or len(lengths) != columns or any(length != rows for length in lengths):
        raise DataError("the columns of the batch differ in length")
    return rows


def _expanded(records: _Table, buffers: memoryview) -> int:
    """Return how many bytes the buffers of a piece take when they are expanded."""
    packed = records.table(3) is not None
    size = 0
    for offset, length in records.pairs(2, len(buffers) + limits.KIB):
        if offset < 0 or length < 0 or offset + length > len(buffers):
            raise DataError("a column of the batch lies outside of the body")
        if packed and length:
            (said,) = struct.unpack_from("<q", buffers, offset)
            if said < -1:
                raise DataError("a column of the batch has no length")
            size += length if said == -1 else said
        else:
            size += length
    return size


def _check(frame: pl.DataFrame) -> None:
    """Refuse columns that no batch has."""
    missing = [name for name in _NEEDED if name not in frame.columns]
    if missing:
        raise DataError(f"the batch has no column {missing[0]}")
    for name, dtype in frame.schema.items():
        if dtype not in _TYPES if is_field(name) else ENVELOPE.get(name) != dtype:
            raise DataError(f"no batch has a column {name[:80]!r} of type {dtype}")
        if not name or not name.isprintable():
            raise DataError("a column of the batch has no proper name")
    if any(frame[name].null_count() for name in ("_time_ns", "_observed_ns", "_stream")):
        raise DataError("rows without a time or a stream")
    wrong = next((text for text in frame["_stream"].unique() if not _is_stream(text)), None)
    if wrong is not None:
        raise DataError(f"{wrong[:80]!r} is no stream as agents write them")
    days = frame["_time_ns"] // (86_400 * 10**9)
    if days.n_unique() > limits.SHIP_DAYS:
        raise DataError(f"the lines are of more than {limits.SHIP_DAYS} days")


def _is_stream(text: str) -> bool:
    """Tell whether a text is a label set in the one way that it is written; any other breaks who reads it later."""
    try:
        return stream_text(stream_labels(text)) == text
    except ValueError:  # what is escaped in it is none of JSON's
        return False


class _Table:
    """A table of a FlatBuffer: fields by number, each may be absent."""

    def __init__(self, data: memoryview, at: int) -> None:
        (back,) = struct.unpack_from("<i", data, at)
        self._data, self._at, self._shape = data, at, at - back
        if not 0 <= self._shape < len(data):
            raise IndexError
        (self._size,) = struct.unpack_from("<H", data, self._shape)

    @classmethod
    def root(cls, data: memoryview) -> _Table:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def number(self, field: int, form: str) -> int:
        place = self._place(field)
        return int(struct.unpack_from(form, self._data, place)[0]) if place else 0

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return _Table(self._data, self._follow(place)) if place else None

    def tables(self, field: int, most: int) -> list[_Table]:
        start, count = self._vector(field, most)
        return [_Table(self._data, self._follow(start + 4 * index)) for index in range(count)]

    def pairs(self, field: int, most: int) -> Iterator[tuple[int, int]]:
        """Yield the structs of two long numbers of a vector."""
        start, count = self._vector(field, most)
        return struct.iter_unpack("<qq", self._data[start : start + 16 * count])

    def text(self, field: int, most: int) -> bytes:
        start, count = self._vector(field, most)
        return bytes(self._data[start : start + count])

    def _place(self, field: int) -> int:
        """Return where a field lies, zero if it is absent."""
        slot = 4 + 2 * field
        if slot + 2 > self._size:
            return 0
        (offset,) = struct.unpack_from("<H", self._data, self._shape + slot)
        return self._at + offset if offset else 0

    def _follow(self, place: int) -> int:
        return place + int(struct.unpack_from("<I", self._data, place)[0])

    def _vector(self, field: int, most: int) -> tuple[int, int]:
        place = self._place(field)
        if not place:
            return 0, 0
        start = self._follow(place)
        (count,) = struct.unpack_from("<I", self._data, start)
        if count > most:
            raise DataError("the Arrow stream has more columns, or longer names, than any batch")
        return start + 4, count
