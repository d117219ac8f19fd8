"""Ask skip indexes where a needle may be: which blocks of a segment hold all texts that a wanted row holds.

In: a segment's path and needles. Out: places to read, none at all, or None for the whole segment. An index that
is missing, torn or of another format says nothing. One needle costs a read of a few hundred bytes per segment; headers
and lists of words stay in memory, as many as `limits.SKIP_CACHE_BYTES` hold.
"""

from __future__ import annotations

import io
import json
import os
import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tailrace.limits import SKIP_CACHE_BYTES
from tailrace.store import bloom, skip, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Needle
    from tailrace.store.place import Place

_TAIL: Final = struct.Struct("<I8s")
_OPEN: Final = 256  # files at once


@dataclass(slots=True)
class Index:
    """One segment's index, open for questions; closed when nobody holds it any more."""

    _file: int
    header: dict[str, Any]  # JSON, as `skip` writes it
    bytes: int
    _listed: pl.DataFrame | None = field(default=None, init=False)

    @classmethod
    def open(cls, path: Path) -> Index | None:
        """Open an index file; None if it is not there or not whole."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            size = os.fstat(file).st_size
            length, magic = _TAIL.unpack(os.pread(file, _TAIL.size, max(0, size - _TAIL.size)))
            if magic == skip.MAGIC and os.pread(file, len(magic), 0) == skip.MAGIC:
                header = json.loads(os.pread(file, length, size - _TAIL.size - length))
                listed = header["line"]["listed"][1] if "line" in header else 0
                return cls(file, header, 10 * (length + listed))
        except (OSError, ValueError, KeyError, struct.error):
            pass
        os.close(file)
        return None

    def __del__(self) -> None:
        """Close the file."""
        os.close(self._file)

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return -(-int(self.header["rows"]) // int(self.header["block_rows"]))

    @property
    def every(self) -> int:
        """All blocks, as bits."""
        return (1 << self.blocks) - 1

    def places(self, needles: Sequence[Needle]) -> list[tuple[int, int]] | None:
        """Return first row and rows of the places where rows with all needles may be; None means everywhere."""
        found = reduce(and_, (self._needle(needle) for needle in needles), self.every)
        if found == self.every:
            return None
        rows, size = int(self.header["rows"]), int(self.header["block_rows"])
        places: list[tuple[int, int]] = []
        for block in range(self.blocks):
            if found >> block & 1:
                start, end = block * size, min(rows, (block + 1) * size)
                if places and sum(places[-1]) == start:
                    start = places.pop()[0]
                places.append((start, end - start))
        return places

    def _needle(self, needle: Needle) -> int:
        if needle.columns == (skip.LINE,):
            return reduce(or_, (self._in_line(text) for text in needle.texts), 0)
        places = (self._in_column(column, text) for column in needle.columns for text in needle.texts)
        return reduce(or_, places, 0)

    def _in_column(self, column: str, text: str) -> int:
        filters = self.header["columns"].get(column)
        if filters is None:
            return self.every if column in self.header["known"] else 0
        return self._filtered(filters, text)

    def _in_line(self, text: str) -> int:
        if "line" not in self.header:
            return self.every
        return reduce(and_, (self._part(part) for part in words.parts(text)), self.every)

    def _part(self, part: words.Part) -> int:
        """Return the blocks with a word that is, or may contain, a part of the text."""
        line, word = self.header["line"], part.word
        holds = pl.col("word") == word if part.whole else pl.col("word").str.contains(word, literal=True)
        found = int(self._words().filter(holds).select(pl.col("blocks").bitwise_or()).item() or 0)
        for name, length, blocks in line["shapes"]:
            shape = words.Shape(name, length)
            if not (shape.may_be(word) if part.whole else shape.may_hold(word)):
                continue
            exact = shape.filtered and (part.whole or length == len(word))
            found |= blocks & self._filtered(line, word) if exact else blocks
        return found

    def _words(self) -> pl.DataFrame:
        if self._listed is None:
            at, size = self.header["line"]["listed"]
            self._listed = pl.read_parquet(io.BytesIO(os.pread(self._file, size, at)))
        return self._listed

    def _filtered(self, filters: dict[str, int], text: str) -> int:
        hashed, blocks = bloom.hash_of(text), self.blocks
        at = filters["at"] + bloom.place_of(hashed, filters["words"], blocks)
        return bloom.blocks_of(os.pread(self._file, blocks * bloom.WORD_BYTES, at), blocks, hashed)


class SkipIndexes:
    """The indexes of segments, the most recently used ones kept open; for any number of threads."""

    def __init__(self, place: Place | None = None, most_bytes: int = SKIP_CACHE_BYTES) -> None:
        self._place = place  # None: the files are here
        self._lock = Lock()
        self._open: OrderedDict[str, Index] = OrderedDict()
        self._bytes = 0
        self._most = most_bytes

    def prepare(self, segments: Sequence[str]) -> None:
        """Bring the indexes of segments near that are about to be asked for one by one."""
        if self._place is not None:
            with self._lock:
                missing = [segment for segment in segments if segment not in self._open]
            self._place.prepare([str(skip.index_file(Path(segment))) for segment in missing])

    def get(self, segment: str) -> Index | None:
        """Return the index of a segment, if it has one."""
        with self._lock:
            index = self._open.get(segment)
            if index is not None:
                self._open.move_to_end(segment)
                return index
        index = Index.open(skip.index_file(Path(segment)))
        if index is not None:
            self._keep(segment, index)
        return index

    def _keep(self, segment: str, index: Index) -> None:
        with self._lock:
            if segment in self._open:
                return
            self._open[segment] = index
            self._bytes += index.bytes
            while len(self._open) > 1 and (self._bytes > self._most or len(self._open) > _OPEN):
                self._bytes -= self._open.popitem(last=False)[1].bytes
