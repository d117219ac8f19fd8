"""The address of a line: its time, its stream, and its place in its file or, of one that came from no file, its text.

It stays true when segments are merged or the table is moved, since it is made of what is stored with the line. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from tailrace.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

KEY: Final = r"[0-9a-f]{12}-(?:-?\d{1,19}|x[0-9a-f]{12})"
"""The part of an address that tells lines of one time apart, as a pattern."""

_ADDRESS: Final = re.compile(rf"(-?\d{{1,19}})-({KEY})", re.ASCII)
_DIGEST_BYTES: Final = 6
_BEYOND: Final = 1 << 63  # of 64 bits, as times are held


@dataclass(frozen=True, slots=True)
class Address:
    """Where a line is: `key` is the hash of its stream, and its offset or the hash of its text."""

    time_ns: int
    key: str

    def __str__(self) -> str:
        return f"{self.time_ns}-{self.key}"


def read_address(text: str) -> Address:
    """Return the address that a text spells."""
    match = _ADDRESS.fullmatch(text)
    if match is None or abs(int(match[1])) >= _BEYOND:
        raise QueryError(f"{text[:60]!r} is not the address of a line", hint="take the link from the line's panel")
    return Address(int(match[1]), match[2])


def key_of(stream: str, offset: int | None, line: str) -> str:
    """Return what tells a line from others of its time."""
    place = f"x{_hash(line)}" if offset is None else str(offset)
    return f"{_stream_hash(stream)}-{place}"


def place_of(frame: pl.DataFrame, key: str, near: int = 0, *, rewritten: bool = False) -> int | None:
    """Return the row of a frame of lines that has a key, of several the one nearest to `near`; None if none has.

    Where a query may have `rewritten` the text that the key was made of, the only pushed line of the stream will do.
    """
    stream, _, place = key.partition("-")
    if not place.startswith("x") and abs(int(place)) >= _BEYOND:
        return None
    texts = [text for text in frame["_stream"].unique() if text is not None and _stream_hash(text) == stream]
    wanted = frame.with_row_index("row").filter(frame["_stream"].is_in(texts))
    if place.startswith("x"):
        held = wanted.filter(wanted["_offset"].is_null()).select("row", "_line").rows()
        rows = [row for row, line in held if f"x{_hash(line or '')}" == place]
        rows = rows or [row for row, _ in held if rewritten and len(held) == 1]
    else:
        rows = wanted.filter(wanted["_offset"] == int(place))["row"].to_list()
    return min(rows, key=lambda row: abs(row - near)) if rows else None


@lru_cache(maxsize=4_096)
def _stream_hash(text: str) -> str:
    return _hash(text)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
