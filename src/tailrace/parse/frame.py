"""Blocks of bytes become one frame of lines.

Comes in: blocks of many files, in order. Goes out: one row per line (or per part of an over-long line) with
`_line`, `_offset`, `_observed_ns`, `_stream` and `_origin` (index into the origins of the turn), and, when a row needs
them, `_raw`, `_part`, `_part_last`; and the constant fields of the origins. A line ends at its file's delimiter only,
a newline unless declared otherwise: NULs, lone carriage returns, form feeds and Unicode separators are content. From
here on all text is UTF-8, whatever it was in the file; `decode` has how.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import polars as pl

from tailrace.batch import field_column, stream_text
from tailrace.parse.decode import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tailrace.contracts import Block, Origin


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
    runs = [
        split([data for _, data in run], encoding)
        for encoding, run in groupby(zip(blocks, closed, strict=True), lambda pair: pair[0].origin.encoding)
    ]
    alone = len(runs) == 1
    frame = runs[0].frame if alone else pl.concat([run.frame for run in runs], how="diagonal")
    sizes = runs[0].sizes if alone else pl.concat([run.sizes for run in runs])
    block_ends = pl.Series([len(data) for data in closed], dtype=pl.Int64).cum_sum()
    line_ends = sizes.cum_sum()
    frame = _with_open_ends(frame, blocks, line_ends, block_ends).with_columns(
        _places(blocks, origins, line_ends, block_ends)
    )
    return Lines(_with_fields(frame, origins), line_ends, runs[0].text if alone else None)


def _closed(block: Block) -> bytes:
    """Return the block's bytes with a delimiter at the end; only a finished file's last line or a part has none."""
    return block.data if _is_closed(block) else block.data + block.origin.encoding.end


def _is_closed(block: Block) -> bool:
    encoding = block.origin.encoding
    whole = not (block.offset + len(block.data)) % encoding.unit  # else what seems a delimiter is half of something
    return whole and block.data.endswith(encoding.end) and (block.part is None or block.part_last)


def _with_open_ends(
    frame: pl.DataFrame, blocks: Sequence[Block], line_ends: pl.Series, block_ends: pl.Series
) -> pl.DataFrame:
    """Give a carriage return back that was taken off where no newline followed it: there it is content."""
    cut = [
        number
        for number, block in enumerate(blocks)
        if (encoding := block.origin.encoding).delimiter == "\n"
        and block.data.endswith(encoding.carriage_return)
        and not _is_closed(block)
    ]
    if not cut:
        return frame
    rows = line_ends.search_sorted(block_ends[cut])
    at = pl.int_range(pl.len(), dtype=pl.UInt32).is_in(rows.implode())
    return frame.with_columns(pl.when(at).then(pl.col("_line") + "\r").otherwise("_line").alias("_line"))


def _with_fields(frame: pl.DataFrame, origins: Sequence[Origin]) -> pl.DataFrame:
    """Add what is known of whole files as columns: one look-up per file, not per line."""
    names = dict.fromkeys(name for origin in origins for name in origin.fields)
    if not names:
        return frame
    of_origin = {name: [origin.fields.get(name) for origin in origins] for name in names}
    table = pl.DataFrame({field_column(name): pl.Series(values, dtype=pl.String) for name, values in of_origin.items()})
    return frame.with_columns(table[frame["_origin"]].get_columns())


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
            "end": pl.Series([block.offset + len(block.data) for block in blocks], dtype=pl.Int64),
            "_part": pl.Series([block.part for block in blocks], dtype=pl.Int32),
            "_part_last": pl.Series(
                [None if block.part is None else block.part_last for block in blocks], dtype=pl.Boolean
            ),
        }
    )
    upto = line_ends.search_sorted(block_ends, "right").to_list()
    counts = [end - start for start, end in zip([0, *upto], upto, strict=False)]
    number_of = pl.Series(range(len(blocks)), dtype=pl.UInt32)
    of_row = pl.concat([number_of.new_from_index(index, count) for index, count in enumerate(counts)], rechunk=True)
    spread = table[of_row]
    line_starts, block_starts = line_ends.shift(1, fill_value=0), block_ends.shift(1, fill_value=0)
    offset = spread["first"] + line_starts - block_starts[of_row]
    same = of_row.shift(-1) == of_row
    size = pl.select(pl.when(same.fill_null(value=False)).then(offset.shift(-1)).otherwise(spread["end"]) - offset)
    columns = [spread["_stream"], spread["_origin"], spread["_observed_ns"], offset.alias("_offset")]
    columns.append(size.to_series().alias("_in_bytes"))
    return columns if table["_part"].null_count() == len(table) else [*columns, spread["_part"], spread["_part_last"]]
