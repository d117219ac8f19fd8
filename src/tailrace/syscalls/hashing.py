"""The hash of an event: which ones are the same call, by the same program, with the same result.

Comes in: rows of one event. Goes out: 64 bits for each, FNV-1a over program_id, pid and ret (eight bytes each), the
name in 64 bytes, then the arguments in order: texts up to their NUL, which is counted; buffers not at all; numbers in
as many bytes as the call has for them, little-endian. A text that is an address is counted as a text. All bytes are
unsigned.

>>> f"{fnv1a(b'a'):x}"
'af63dc4c8601ec8c'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.syscalls.events import EVENTS, argument, common, numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

_START: Final = 0xCBF29CE484222325
_PRIME: Final = 0x100000001B3
_BITS: Final = (1 << 64) - 1
_NAME_BYTES: Final = 64
_WIDTHS: Final = {"user": 4, "group": 4, "sport": 2, "dport": 2, "netns": 4}
_WIDTH: Final = 8


def fnv1a(data: bytes, start: int = _START) -> int:
    """Return the 64-bit FNV-1a of bytes."""
    value = start
    for byte in data:
        value = (value ^ byte) * _PRIME & _BITS
    return value


def event_hash(row: pl.DataFrame) -> int:
    """Return the hash of one known event: its own, if it has one."""
    return int(event_hashes(row, row["name"][0])[0])


def event_hashes(frame: pl.DataFrame, event: str) -> pl.Series:
    """Return the hashes of rows, all of one event: their own, where they have one; about 4 ns a byte."""
    own = common(frame, "hash").cast(pl.UInt64, wrap_numerical=True)
    if len(frame) and (own != 0).all():
        return own
    state = pl.repeat(_START, len(frame), dtype=pl.UInt64, eager=True)
    for member in ("program_id", "pid", "ret"):
        state = _fold(state, _bytes(common(frame, member), _WIDTH))
    state = _fold(state, iter(event.encode()[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0")))
    for number, wanted in enumerate(EVENTS[event], 1):
        value = argument(frame, event, number)
        if wanted.kind == "string":
            state = _fold_texts(state, value.cast(pl.String).fill_null(""))
        elif wanted.kind != "buffer":
            state = _fold(state, _bytes(numbers(value), _WIDTHS.get(wanted.name, _WIDTH)))
    return own.zip_with(own != 0, state).alias("hash")


def _fold(state: pl.Series, values: Iterator[pl.Series] | Iterator[int]) -> pl.Series:
    """Take bytes, each one of all rows at once; multiplication keeps the lower 64 bits."""
    for value in values:
        state = (state ^ value) * _PRIME
    return state


def _fold_texts(state: pl.Series, texts: pl.Series) -> pl.Series:
    """Take the bytes of texts up to their NUL, which is counted."""
    data = texts.str.replace("(?s)\0.*", "").cast(pl.Binary)
    sizes = data.bin.size()
    for place in range(max(sizes.to_list(), default=0)):
        there = sizes > place
        byte = data.bin.get(place, null_on_oob=True).fill_null(0).cast(pl.UInt64)
        state = ((state ^ byte) * _PRIME).zip_with(there, state)
    return state * _PRIME


def _bytes(values: pl.Series, width: int) -> Iterator[pl.Series]:
    """Yield the lowest byte of all numbers, then the next."""
    left = values.cast(pl.UInt64, wrap_numerical=True)
    for _ in range(width):
        yield left % 256
        left = left // 256
