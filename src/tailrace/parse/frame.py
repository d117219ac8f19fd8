"""Blocks of bytes become one frame of lines.

Comes in: blocks of many files, in order. Goes out: one row per line (or per part of an over-long line) with
`_line`, `_offset`, `_observed_ns`, `_stream` and `_origin` (index into the origins of the turn), and, when a row needs
them, `_raw`, `_part`, `_part_last`. A line ends at a newline only: NULs, lone carriage returns, form feeds and
Unicode separators are content. One trailing carriage return is taken off.

Cost: a pass over the bytes for UTF-8 lines; blocks with carriage returns or bytes that are not UTF-8 take a
slower way, still without a Python object per line except for the bad lines themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from tailrace.batch import stream_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Block, Origin

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_PACKED: Final = (b"x", b"(", b"\x1f")  # first bytes of zlib, zstd and gzip


def origins_of(blocks: Sequence[Block]) -> list[Origin]:
    """Return the distinct origins of blocks, in order of appearance."""
    return list({block.origin.key: block.origin for block in blocks}.values())


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of blocks; `text` is them as bytes when a line's bytes are what stood in the file, else None."""

    frame: pl.DataFrame
    ends: pl.Series  # position behind the newline of each line, in all blocks together
    text: bytes | None


def lines_of(blocks: Sequence[Block], origins: Sequence[Origin]) -> Lines:
    """Return the lines of blocks, in the order of the blocks."""
    closed = [_closed(block) for block in blocks]
    data = closed[0] if len(closed) == 1 else b"".join(closed)
    plain = None if b"\r" in data else _split_plain(data)
    frame, sizes = _split(closed) if plain is None else plain
    block_ends = pl.Series([len(data) for data in closed], dtype=pl.Int64).cum_sum()
    line_ends = (sizes.cast(pl.Int64) + 1).cum_sum()
    frame = frame.with_columns(_places(blocks, origins, line_ends, block_ends))
    return Lines(frame, line_ends, None if plain is None else data)


def _closed(block: Block) -> bytes:
    """Return the block's bytes with a newline at the end; only a finished file's last line or a part has none."""
    return block.data if block.data.endswith(b"\n") else block.data + b"\n"


def _split_plain(data: bytes) -> tuple[pl.DataFrame, pl.Series] | None:
    """Return what `_split` does for UTF-8 without carriage returns, or None if it is not UTF-8."""
    # The reader unpacks what begins like compressed data, and `x^` begins like zlib: a blank line in front hides it.
    hidden = data[:1] in _PACKED
    try:
        frame = pl.read_lines(b"\n" + data if hidden else data, name="_line")[int(hidden) :]
    except pl.exceptions.ComputeError:  # says only that something is not UTF-8
        return None
    return frame, frame["_line"].str.len_bytes()


def _split(pieces: Sequence[bytes]) -> tuple[pl.DataFrame, pl.Series]:
    """Return `_line` (and `_raw` if some line is not UTF-8) and the size in bytes of each line without its newline.

    Pieces that are not UTF-8 are found by halving, so that one bad byte does not slow down the whole turn.
    """
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    plain = None if b"\r" in data else _split_plain(data)
    if plain is not None:
        return plain
    try:
        text = _pieces(data.decode())
    except UnicodeDecodeError:
        if len(pieces) == 1:
            return _split_lossy(data)
        halves = [_split(half) for half in (pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :])]
        frames, sizes = zip(*halves, strict=True)
        return pl.concat(frames, how="diagonal"), pl.concat(sizes)
    return _without_cr(text), text.str.len_bytes()


def _split_lossy(data: bytes) -> tuple[pl.DataFrame, pl.Series]:
    """Split bytes that are not UTF-8: `_line` shows them with U+FFFD, `_raw` has the bytes of the bad lines.

    Latin-1 has one character per byte, so its lengths are the exact sizes; a newline is never part of a
    broken sequence, so both ways to decode cut at the same places.
    """
    text = _pieces(data.decode(errors="replace"))
    sizes = _pieces(data.decode("latin-1")).str.len_chars()
    frame = _without_cr(text)
    starts = (sizes + 1).cum_sum() - (sizes + 1)
    suspects = text.str.contains(_REPLACEMENT, literal=True).arg_true()
    rows: list[int] = []
    raws: list[bytes] = []
    for row, start, size in zip(suspects, starts[suspects], sizes[suspects], strict=True):
        raw = data[start : start + size]
        try:
            raw.decode()
        except UnicodeDecodeError:
            rows.append(row)
            raws.append(raw)
    bad = pl.DataFrame({"row": pl.Series(rows, dtype=pl.UInt32), "_raw": pl.Series(raws, dtype=pl.Binary)})
    index = pl.DataFrame({"row": pl.int_range(len(text), dtype=pl.UInt32, eager=True)})
    column = index.join(bad, on="row", how="left", maintain_order="left")["_raw"]
    return frame.with_columns(column), sizes


def _pieces(text: str) -> pl.Series:
    """Return the lines of a text that ends in a newline."""
    return pl.Series("_line", [text[:-1]]).str.split("\n").explode()


def _without_cr(text: pl.Series) -> pl.DataFrame:
    return text.str.strip_suffix("\r").alias("_line").to_frame()


def _places(
    blocks: Sequence[Block], origins: Sequence[Origin], line_ends: pl.Series, block_ends: pl.Series
) -> list[pl.Series]:
    """Return the columns that say where each line comes from."""
    number = {origin.key: index for index, origin in enumerate(origins)}
    texts = [stream_text(origin.labels) for origin in origins]
    indexes = [number[block.origin.key] for block in blocks]
    table = pl.DataFrame(
        {
            "_stream": pl.Series([texts[index] for index in indexes], dtype=pl.String),
            "_origin": pl.Series(indexes, dtype=pl.UInt32),
            "_observed_ns": pl.Series([block.observed_ns for block in blocks], dtype=pl.Int64),
            "first": pl.Series([block.offset for block in blocks], dtype=pl.Int64),
            "_part": pl.Series([block.part for block in blocks], dtype=pl.Int32),
            "_part_last": pl.Series(
                [None if block.part is None else block.part_last for block in blocks], dtype=pl.Boolean
            ),
        }
    )
    lines = line_ends.search_sorted(block_ends, "right").cast(pl.Int64).diff(null_behavior="ignore")
    counts = pl.DataFrame({"block": pl.int_range(len(blocks), dtype=pl.UInt32, eager=True), "lines": lines})
    counts = counts.with_columns(pl.col("lines").fill_null(line_ends.search_sorted(block_ends[0], "right")))
    of_row = counts.select(pl.col("block").repeat_by("lines").explode()).to_series()
    spread = table[of_row]
    line_starts, block_starts = line_ends.shift(1, fill_value=0), block_ends.shift(1, fill_value=0)
    offset = spread["first"] + line_starts - block_starts[of_row]
    columns = [spread["_stream"], spread["_origin"], spread["_observed_ns"], offset.alias("_offset")]
    return columns if table["_part"].null_count() == len(table) else [*columns, spread["_part"], spread["_part_last"]]
