"""Skip indexes: which blocks of a segment may hold a text, so that a search for a needle reads only these.

One file per large segment, `_skip/<name of the segment>.skip` in the table's folder: other programs that read or clean
the table look past names that begin with `_`. It holds Bloom filters of the values of text and integer fields and of
the words of the lines (`bloom`, `words`), per *block*: a row group of the segment, or several if it has more than 64.

An index never says that something is not there that is. It may be missing at any time: then the segment is read. It is
made from the segment alone and always the same, so `table verify` makes it again and compares. What costs more than it
is worth is left out: a field whose values are in most blocks anyway, and what would make the index larger than a share
of the segment (`limits.SKIP_SHARE`).

The file: a magic number, filters, the listed words as Parquet, the `Header` as JSON, its length, the magic number.
"""

from __future__ import annotations

import io
import json
import logging
import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from polars.exceptions import PolarsError

from tailrace import limits
from tailrace.batch import is_field
from tailrace.errors import TransientError
from tailrace.store import bloom, words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tailrace.files import Files

FOLDER: Final = "_skip"
SUFFIX: Final = ".skip"
MAGIC: Final = b"TRSKIP1\n"
LINE: Final = "_line"

_LOGGER: Final = logging.getLogger(__name__)
_KINDS: Final = (pl.String(), pl.Int64())
_FEW: Final = 4_096  # so many distinct values in a block cost next to nothing
_COMMON: Final = 0.3  # share of the last block's values that the first one has too: then most blocks have most values
_SHAPES: Final = 512  # more of them say nothing


def index_file(segment: Path) -> Path:
    """Return where the index of a segment lies, if it has one."""
    return segment.parent.parent / FOLDER / f"{segment.stem}{SUFFIX}"


def add(segment: Path, rows: int, files: Files, index: Path | None = None) -> bool:
    """Make an index for a segment, durably, unless it is small; tell whether it has one now.

    `index` is its file, where `segment` is a copy that lies elsewhere.

    A failure is no more than a warning: the segment is read without an index, and the next upkeep tries again.
    """
    if rows < limits.SKIP_ROWS:
        return False
    file = index or index_file(segment)
    try:
        data = files.run("index segment", lambda: build(segment, rows))
        files.makedirs(file.parent)
        files.save(file, data)
    except (OSError, PolarsError, TransientError) as error:
        _LOGGER.warning("%s got no skip index: %s", segment, error)
        return False
    return True


def build(segment: Path, rows: int) -> bytes:
    """Return the index of a segment."""
    groups = -(-rows // limits.ROW_GROUP_ROWS)
    block_rows = limits.ROW_GROUP_ROWS * -(-groups // bloom.BLOCKS)
    size = segment.stat().st_size
    scan = pl.scan_parquet(segment, glob=False, hive_partitioning=False)
    schema = scan.collect_schema()
    fields = [name for name, dtype in schema.items() if is_field(name) and dtype in _KINDS]
    gathered = _Gathered(-(-rows // block_rows), round(size * limits.SKIP_SHARE), {name: [] for name in fields})
    for start in range(0, rows, block_rows):
        block = scan.slice(start, block_rows)
        for name in fields:
            if name in gathered.fields:
                gathered.add_values(name, _distinct(block, name))
        if LINE in schema:
            gathered.add_words(words.distinct(block.select(LINE).collect(engine="streaming").to_series()))
    return gathered.written({"rows": rows, "block_rows": block_rows, "known": schema.names()})


def _distinct(block: pl.LazyFrame, name: str) -> pl.Series:
    return block.select(pl.col(name).cast(pl.String)).drop_nulls().unique().collect(engine="streaming").to_series()


@dataclass(slots=True)
class _Gathered:
    """What is known of the blocks so far: hashes, listed words, shapes."""

    blocks: int
    most_bytes: int
    fields: dict[str, list[pl.Series]]  # hashes of the distinct values, per block
    others: list[pl.Series] = field(default_factory=list)  # hashes of those that are not listed, per block
    listed: list[pl.DataFrame] = field(default_factory=list)
    shapes: defaultdict[words.Shape, int] = field(default_factory=lambda: defaultdict(int))

    def add_values(self, name: str, values: pl.Series) -> None:
        """Take the distinct values that a field has in the next block."""
        before = self.fields[name]
        before.append(bloom.hashes(values))
        last = len(before) == self.blocks > 1
        if last and len(before[-1]) > _FEW and _common(before[-1], before[0]) > _COMMON:
            del self.fields[name]
        while self._bytes() > self.most_bytes and self.fields:
            del self.fields[max(self.fields, key=lambda other: max(map(len, self.fields[other])))]

    def add_words(self, found: pl.Series) -> None:
        """Take the distinct words of the next block."""
        block = len(self.others)
        listed, others, shapes = words.sorted_out(found)
        self.others.append(bloom.hashes(others))
        self.listed.append(listed.to_frame("word").with_columns(blocks=pl.lit(1 << block, pl.UInt64)))
        for shape in shapes:
            self.shapes[shape] |= 1 << block

    def _bytes(self) -> int:
        texts = [max(map(len, some)) for some in (*self.fields.values(), self.others) if some]
        return sum(bloom.words_for(most) for most in texts) * self.blocks * bloom.WORD_BYTES

    def written(self, header: dict[str, Any]) -> bytes:  # the JSON of `Header`
        """Return the bytes of the file."""
        out = bytearray(MAGIC)
        header["columns"] = {}
        for name, hashes in self.fields.items():
            header["columns"][name] = self._filters(out, hashes)
        listed = self._vocabulary()
        if self.others and len(self.shapes) <= _SHAPES and self._bytes() + len(listed) <= self.most_bytes:
            shapes = sorted([one.shape, one.length, blocks] for one, blocks in self.shapes.items())
            filters = self._filters(out, self.others)
            header["line"] = {**filters, "listed": [len(out), len(listed)], "shapes": shapes}
            out += listed
        text = json.dumps(header).encode()
        return bytes(out + text + struct.pack("<I", len(text)) + MAGIC)

    def _filters(self, out: bytearray, hashes: Sequence[pl.Series]) -> dict[str, Any]:
        at = len(out)
        data, count = bloom.build(hashes)
        out += data
        return {"at": at, "words": count}

    def _vocabulary(self) -> bytes:
        if not self.listed:
            return b""
        frame = pl.concat(self.listed).group_by("word").agg(pl.col("blocks").bitwise_or()).sort("word")
        data = io.BytesIO()
        frame.write_parquet(data, compression="zstd", compression_level=3, statistics=False)
        return data.getvalue()


def _common(values: pl.Series, others: pl.Series) -> float:
    return float(values.is_in(others.implode()).mean() or 0.0)  # type: ignore[arg-type]  # a boolean column's mean
